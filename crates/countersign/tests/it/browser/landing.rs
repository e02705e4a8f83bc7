//! The app that a confirmation leads on to, and that opens pages in windows of its own.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, header},
    response::Html,
    routing::get,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// A page on this machine. Dropping it stops it.
pub(super) struct Landing {
    /// Where it is: `http://127.0.0.1:…`.
    pub(super) url: String,
    referrers: Referrers,
    task: JoinHandle<()>,
}

type Referrers = Arc<Mutex<Vec<Option<String>>>>;

impl Landing {
    /// Starts it.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let referrers = Referrers::default();
        let router = Router::new()
            .route("/welcome", get(welcome))
            .route("/opener", get(opener))
            .with_state(referrers.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self { url, referrers, task }
    }

    /// What each visitor said about where they came from.
    pub(super) fn referrers(&self) -> Vec<Option<String>> {
        self.referrers.lock().expect("not poisoned").clone()
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn welcome(State(referrers): State<Referrers>, headers: HeaderMap) -> Html<&'static str> {
    let referrer = headers.get(header::REFERER).map(|referrer| format!("{referrer:?}"));
    referrers.lock().expect("not poisoned").push(referrer);
    Html("<!doctype html><link rel=icon href=data:,><title>The app</title><h1>The app</h1>")
}

/// A page that opens the page that its query names, and shows what that one tells it.
async fn opener() -> Html<&'static str> {
    Html(
        "<!doctype html><link rel=icon href=data:,><title>The app</title><h1>Waiting</h1>\
         <button id=open>Open</button><script>\
         document.querySelector('#open').onclick = () => open(decodeURIComponent(location.search.slice(1)));\
         addEventListener('message', (event) => { document.querySelector('h1').textContent = event.data; });\
         </script>",
    )
}
