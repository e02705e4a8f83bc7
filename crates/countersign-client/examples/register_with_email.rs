//! Makes an account whose owner proves an e-mail address, at a node that asks for one.
//!
//! `cargo run -p countersign-client --example register_with_email -- http://127.0.0.1:8008 alice alice@example.com`

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{env, error::Error, io::stdin};

use countersign_client::{
    Client, Credentials, RegisterRequest, RegisterResponse, RequestEmailToken, SubmitTokenRequest,
};

/// Registers. `code` asks the user for the code in the mail.
pub async fn run(
    url: &str,
    account: &RegisterRequest,
    email: &str,
    code: impl AsyncFnOnce() -> String,
) -> Result<RegisterResponse, Box<dyn Error>> {
    let client = Client::builder(url).build()?;

    // A secret of the client's own making. A real client draws it at random for each address.
    let client_secret = "a-secret-of-my-own";
    let request = RequestEmailToken::new(client_secret, email, 1);
    let asked = client.request_token_to_register_email(&request).await?;

    // The user may click the mail's link, too; then there is nothing to submit.
    let submit_url = asked.submit_url.ok_or("this node takes no codes: click the link")?;
    let typed = SubmitTokenRequest::new(&asked.sid, client_secret, code().await);
    client.submit_token(&submit_url, &typed).await?;

    // One call for all rounds: the node asks, the credentials answer.
    let credentials = Credentials { accept_terms: true, ..Credentials::email(asked.sid, client_secret) };
    Ok(client.register_with(account, &credentials).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, name, email] = arguments.as_slice() else { return Err("give URL, name and address".into()) };
    let account = RegisterRequest::new(name, ask("A password for the account:"));
    let registered = run(url, &account, email, async || ask("The code in the mail:")).await?;
    println!("You are {}.", registered.user_id);
    Ok(())
}

fn ask(question: &str) -> String {
    println!("{question}");
    let mut line = String::new();
    stdin().read_line(&mut line).expect("standard input is text");
    line.trim_end().to_owned()
}
