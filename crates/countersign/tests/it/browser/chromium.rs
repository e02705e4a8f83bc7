//! Debian's Chromium, without a window, driven over WebDriver.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{
    By, ChromiumCapabilities, ChromiumLikeCapabilities, LoggingPrefsLogLevel, WebDriver,
    common::capabilities::desiredcapabilities::CapabilitiesHelper,
};

use crate::process::{self, Process, http, until};

const DRIVER: &str = "/usr/bin/chromedriver";
const BROWSER: &str = "/usr/bin/chromium";

/// A running browser with a fresh profile. Dropping it ends it.
pub(super) struct Browser {
    driver: WebDriver,
    /// The browser's own process, a child of the driver's.
    id: u32,
    _chromedriver: Process,
    _profile: TempDir,
}

/// Whether pages may run scripts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scripts {
    On,
    Off,
}

/// How large the screen is.
#[derive(Clone, Copy)]
pub(super) enum Screen {
    Desk,
    /// 320 by 640, the narrowest phone that is about.
    Phone,
}

impl Browser {
    /// Starts one.
    pub(super) async fn start(scripts: Scripts, screen: Screen) -> Self {
        for (program, package) in [(BROWSER, "chromium"), (DRIVER, "chromium-driver")] {
            assert!(
                fs::exists(program).is_ok_and(|exists| exists),
                "no {program}: it takes Debian's {package}, which scripts/test installs"
            );
        }
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(DRIVER);
        command.arg("--port=0").env("HOME", profile.path()).env("TMPDIR", profile.path());
        let chromedriver = Process::start(command);
        let line = chromedriver.printed("started successfully on port ").await;
        let (_, port) = line.rsplit_once(' ').expect("the line ends with the port");
        let url = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        let capabilities = capabilities(&profile, scripts, screen);
        let driver = WebDriver::builder(url, capabilities).client(http()).await.expect("a browser");
        driver.set_page_load_timeout(Duration::from_secs(30)).await.expect("set");
        let id = driver
            .capabilities()
            .get("goog:processID")
            .and_then(Value::as_u64)
            .expect("the browser's process");
        let id = u32::try_from(id).expect("a process id");
        let browser = Self { driver, id, _chromedriver: chromedriver, _profile: profile };
        browser.assert_scripts(scripts).await;
        browser
    }

    /// Fails unless scripts run, or not, as they should.
    async fn assert_scripts(&self, scripts: Scripts) {
        self.open("data:text/html,<title>Off</title><script>document.title = 'On'</script>").await;
        let title = self.driver.title().await.expect("a title");
        assert_eq!(title, format!("{scripts:?}"), "the browser's setting for scripts does not hold");
    }

    /// Goes to a page.
    pub(super) async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Goes back.
    pub(super) async fn back(&self) {
        self.driver.back().await.expect("a page to go back to");
    }

    /// Where the browser is.
    pub(super) async fn url(&self) -> String {
        self.driver.current_url().await.expect("a page").to_string()
    }

    /// What a person can read on the page.
    pub(super) async fn text(&self) -> String {
        let body = self.driver.find(By::Tag("body")).await.expect("a page");
        body.text().await.expect("text")
    }

    /// Waits until the page's first heading is this.
    pub(super) async fn heading(&self, text: &str) {
        until(&format!("a page with the heading {text:?}"), async || {
            let Ok(heading) = self.driver.find(By::Tag("h1")).await else { return false };
            heading.text().await.is_ok_and(|heading| heading == text)
        })
        .await;
    }

    /// Waits until the page has an element like this, and answers its text.
    pub(super) async fn element(&self, selector: &str) -> String {
        until(&format!("a page with {selector:?}"), async || self.has(selector).await).await;
        let element = self.driver.find(By::Css(selector)).await.expect("it was there");
        element.text().await.expect("text")
    }

    /// Whether the page has an element like this now.
    pub(super) async fn has(&self, selector: &str) -> bool {
        self.driver.find(By::Css(selector)).await.is_ok()
    }

    /// An attribute of an element that is there.
    pub(super) async fn attribute(&self, selector: &str, name: &str) -> String {
        let element = self.driver.find(By::Css(selector)).await.unwrap_or_else(|error| panic!("{error}"));
        element.attr(name).await.expect("attributes").unwrap_or_else(|| panic!("{selector} has no {name}"))
    }

    /// Presses the element with this id.
    pub(super) async fn press(&self, id: &str) {
        let element = self.driver.find(By::Id(id)).await.unwrap_or_else(|error| panic!("{error}"));
        element.click().await.unwrap_or_else(|error| panic!("#{id}: {error}"));
    }

    /// Presses keys, wherever the focus is.
    pub(super) async fn keys(&self, keys: &str) {
        self.driver.action_chain().send_keys(keys).perform().await.expect("keys");
    }

    /// The id of the element that has the focus.
    pub(super) async fn focus(&self) -> String {
        let element = self.driver.active_element().await.expect("an element");
        element.id().await.expect("an id").unwrap_or_default()
    }

    /// Types into the element with this id.
    pub(super) async fn fill(&self, id: &str, text: &str) {
        let element = self.driver.find(By::Id(id)).await.unwrap_or_else(|error| panic!("{error}"));
        element.send_keys(text).await.unwrap_or_else(|error| panic!("#{id}: {error}"));
    }

    /// Runs a script in every page that is opened from now on before the page's own, as an app does that shows pages
    /// inside of it.
    pub(super) async fn before_every_page(&self, script: &str) {
        let params = json!({ "source": script });
        let added = self.driver.cdp().send_raw("Page.addScriptToEvaluateOnNewDocument", params).await;
        added.expect("a script");
    }

    /// Waits until there are two windows, and goes to the one that was opened last.
    pub(super) async fn to_the_new_window(&self) {
        let windows = async || self.driver.windows().await.expect("windows");
        until("a second window", async || windows().await.len() == 2).await;
        let newest = windows().await.pop().expect("two");
        self.driver.switch_to_window(newest).await.expect("a window");
    }

    /// Goes to the first window.
    pub(super) async fn to_the_first_window(&self) {
        let first = self.driver.windows().await.expect("windows").swap_remove(0);
        self.driver.switch_to_window(first).await.expect("a window");
    }

    /// What a script of ours, not of the page, finds out.
    pub(super) async fn evaluate<T: serde::de::DeserializeOwned>(&self, script: &str) -> T {
        let answer = self.driver.execute(format!("return {script}"), Vec::new()).await.expect("it runs");
        answer.convert().expect("it answers so")
    }

    /// Keeps a picture of the page below `target/tmp/pages`, for people to look at.
    pub(super) async fn picture(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages");
        fs::create_dir_all(&folder).expect("writable");
        self.driver.screenshot(&folder.join(format!("{name}.png"))).await.expect("a picture");
    }

    /// Fails if the browser complained about anything: a policy that was violated, a file that was not found.
    pub(super) async fn assert_silent(&self) {
        let log = self.driver.browser_log().await.expect("a log");
        let complaints: Vec<_> =
            log.iter().map(|entry| format!("{} {}", entry.level, entry.message)).collect();
        assert!(complaints.is_empty(), "the browser complains:\n{}", complaints.join("\n"));
    }

    /// Ends it, unless it complained.
    pub(super) async fn quit(self) {
        self.assert_silent().await;
        self.driver.clone().quit().await.expect("it ends");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A driver that was not quit would do so here, and wait for an answer that this thread has to fetch.
        if self.driver.clone().leak().is_ok() {
            process::signal(self.id, "KILL");
        }
    }
}

fn capabilities(profile: &TempDir, scripts: Scripts, screen: Screen) -> ChromiumCapabilities {
    let mut capabilities = ChromiumCapabilities::new();
    let folder = format!("--user-data-dir={}", profile.path().join("profile").display());
    for argument in [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-proxy-server",
        "--lang=en",
        "--window-size=900,900",
        folder.as_str(),
    ] {
        capabilities.add_arg(argument).expect("an argument");
    }
    capabilities.set_binary(BROWSER).expect("a path");
    capabilities.set_browser_log_level(LoggingPrefsLogLevel::All).expect("a level");
    if let Scripts::Off = scripts {
        let preferences = json!({ "profile.managed_default_content_settings.javascript": 2 });
        capabilities.add_experimental_option("prefs", preferences).expect("JSON");
    }
    if let Screen::Phone = screen {
        let metrics = json!({ "width": 320, "height": 640, "pixelRatio": 2.0, "touch": true });
        let emulation = json!({ "deviceMetrics": metrics });
        capabilities.add_experimental_option("mobileEmulation", emulation).expect("JSON");
    }
    capabilities.set("browserName", "chrome").expect("a name");
    capabilities
}
