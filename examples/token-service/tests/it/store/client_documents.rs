use token_service::store::{ClientDocument, PURGE_MARGIN, Store};

use super::*;

const URL: &str = "https://app.example/client";

fn document(url: &str, text: &str, at: i64) -> ClientDocument {
    ClientDocument {
        url: url.to_owned(),
        document: text.to_owned(),
        jwk_set: Some("{\"keys\": []}".to_owned()),
        changed_at: at,
        fetched_at: at,
        fresh_until: at + 60,
        expires_at: at + 3660,
    }
}

async fn put(store: &dyn Store, document: &ClientDocument) -> i64 {
    store.put_client_document(document, 3).await.unwrap()
}

async fn find(store: &dyn Store, url: &str) -> Option<ClientDocument> {
    store.client_document(url).await.unwrap()
}

#[tokio::test]
async fn a_document_replaces_the_earlier_one_of_its_url() {
    over_every_store(async |store: &dyn Store| {
        assert_eq!(find(store, URL).await, None);
        assert_eq!(find(store, "\0").await, None);
        let first = document(URL, "{\"client_name\": \"\u{e9}\"}", NOW);
        assert_eq!(put(store, &first).await, NOW);
        assert_eq!(find(store, URL).await, Some(first.clone()));

        // It has not changed.
        let mut again = document(URL, &first.document, NOW + 10);
        again.jwk_set = None;
        assert_eq!(put(store, &again).await, NOW);
        assert_eq!(find(store, URL).await, Some(ClientDocument { changed_at: NOW, ..again }));

        let other = document(URL, "{}", NOW + 20);
        assert_eq!(put(store, &other).await, NOW + 20);
        assert_eq!(find(store, URL).await, Some(other));

        store.remove_client_document(URL).await.unwrap();
        store.remove_client_document(URL).await.unwrap();
        assert_eq!(find(store, URL).await, None);
        assert_eq!(put(store, &document(URL, "{}", NOW + 30)).await, NOW + 30);
    })
    .await;
}

#[tokio::test]
async fn a_document_is_kept_until_it_expires_and_not_longer() {
    over_every_store(async |store: &dyn Store| {
        put(store, &document(URL, "{}", NOW)).await;
        for (until, kept) in
            [(NOW + 100, 100), (NOW + 90, 100), (NOW + 5000, 3660), (NOW + 200, 3660)]
        {
            store.keep_client_document(URL, until).await.unwrap();
            let found = find(store, URL).await.unwrap();
            assert_eq!((found.fresh_until, found.expires_at), (NOW + kept, NOW + 3660));
        }
        store.keep_client_document("https://other.example/", NOW).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_number_of_documents_is_bounded() {
    over_every_store(async |store: &dyn Store| {
        for number in 0..6 {
            put(store, &document(&format!("{URL}{number}"), "{}", NOW + number)).await;
        }
        // One that is fetched again is not among the oldest.
        put(store, &document(&format!("{URL}3"), "{}", NOW + 10)).await;
        put(store, &document(&format!("{URL}6"), "{}", NOW + 11)).await;
        let mut left = Vec::new();
        for number in 0..7 {
            if find(store, &format!("{URL}{number}")).await.is_some() {
                left.push(number);
            }
        }
        assert_eq!(left, [3, 5, 6]);
    })
    .await;
}

#[tokio::test]
async fn an_expired_document_is_purged() {
    over_every_store(async |store: &dyn Store| {
        put(store, &document(URL, "{}", NOW)).await;
        assert_eq!(store.purge(9, NOW + 3659 + PURGE_MARGIN).await.unwrap(), 0);
        assert_eq!(store.purge(9, NOW + 3660 + PURGE_MARGIN).await.unwrap(), 1);
        assert_eq!(find(store, URL).await, None);
    })
    .await;
}
