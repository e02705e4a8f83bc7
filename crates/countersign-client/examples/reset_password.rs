//! Sets a new password for a forgotten one, once the user has clicked the link in a mail.
//!
//! `cargo run -p countersign-client --example reset_password -- http://127.0.0.1:8008 alice@example.com`

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{env, error::Error, io::stdin};

use countersign_client::{ChangePasswordRequest, Client, Credentials, ErrorCode, RequestEmailToken};

/// Sets the password. `clicked` returns when the user says that they clicked the link, as often as it takes.
pub async fn run(
    url: &str,
    email: &str,
    new_password: &str,
    mut clicked: impl AsyncFnMut(),
) -> Result<(), Box<dyn Error>> {
    let client = Client::builder(url).build()?;

    // A secret of the client's own making. A real client draws it at random for each address.
    let client_secret = "a-secret-of-my-own";
    let request = RequestEmailToken::new(client_secret, email, 1);
    let asked = client.request_token_to_reset_password_email(&request).await?;

    let change = ChangePasswordRequest::new(new_password);
    let mut credentials = Credentials::email(asked.sid, client_secret);
    loop {
        match client.change_password_with(&change, &credentials).await {
            // The link waits to be clicked. The session stays the same, which costs the node nothing.
            Err(error) if error.errcode() == Some(&ErrorCode::Unauthorized) => {
                credentials.session = error.uia().and_then(|info| info.session.clone());
                clicked().await;
            }
            changed => return Ok(changed?),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, email] = arguments.as_slice() else { return Err("give URL and address".into()) };
    let new_password = ask("The new password:");
    run(url, email, &new_password, async || {
        ask("Click the link in the mail, then press Enter.");
    })
    .await?;
    println!("You have a new password. All your devices are logged out.");
    Ok(())
}

fn ask(question: &str) -> String {
    println!("{question}");
    let mut line = String::new();
    stdin().read_line(&mut line).expect("standard input is text");
    line.trim_end().to_owned()
}
