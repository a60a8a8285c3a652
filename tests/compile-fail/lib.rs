//! Nothing: the tests of this package compile the files in `cases`, each of which must fail.
