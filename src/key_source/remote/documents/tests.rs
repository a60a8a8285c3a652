//! A name that changes its address, and slow name servers.
