//! What carries messages, by its settings.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use countersign_delivery::{
    EmailTransport, SmsGateway,
    email::{
        mime::Mailbox,
        smtp::{SmtpSettings, SmtpTls, SmtpTransport},
    },
    sms::http::{HttpGateway, HttpGatewaySettings},
};
use countersign_service::Inbox;

use crate::config::{self, Config, EmailConfig, SmsConfig, Transport};

pub(super) fn email_transport(
    config: &Config,
    section: &EmailConfig,
    inbox: Option<&Inbox>,
) -> Result<Arc<dyn EmailTransport>> {
    let smtp = match (section.transport, &section.smtp, inbox) {
        (Transport::Inbox, _, Some(inbox)) => return Ok(Arc::new(inbox.clone())),
        (_, Some(smtp), _) => smtp,
        (_, None, _) => bail!("email.smtp is missing: say which mail server takes the messages"),
    };
    let from = Mailbox::parse(&String::from(section.from.clone())).context("email.from")?;
    let credentials = match (&smtp.username, &smtp.password) {
        (Some(username), Some(password)) => {
            Some((username.clone(), countersign_delivery::Secret::new(password.expose())))
        }
        _ => None,
    };
    let extra_ca_pem = match &smtp.ca_file {
        Some(path) => Some(std::fs::read(path).with_context(|| format!("email.smtp.ca_file = {path:?}"))?),
        None => None,
    };
    let defaults = SmtpSettings::new(smtp.host.clone(), smtp.port, from);
    let settings = SmtpSettings {
        tls: match smtp.tls {
            config::SmtpTls::None => SmtpTls::None,
            config::SmtpTls::Starttls => SmtpTls::Starttls,
            config::SmtpTls::Implicit => SmtpTls::Implicit,
        },
        credentials,
        hello_name: smtp.hello_name.clone().unwrap_or_else(|| defaults.hello_name.clone()),
        max_connections: config.outbox.email_workers.get(),
        send_timeout: config.outbox.send_timeout,
        extra_ca_pem,
        ..defaults
    };
    Ok(Arc::new(SmtpTransport::new(settings).context("email.smtp")?))
}

pub(super) fn sms_gateway(
    config: &Config,
    section: &SmsConfig,
    inbox: Option<&Inbox>,
) -> Result<Arc<dyn SmsGateway>> {
    let http = match (section.transport, &section.http, inbox) {
        (Transport::Inbox, _, Some(inbox)) => return Ok(Arc::new(inbox.clone())),
        (_, Some(http), _) => http,
        (_, None, _) => bail!("sms.http is missing: say which gateway takes the messages"),
    };
    let secret = countersign_delivery::Secret::new;
    let mut headers: Vec<_> =
        http.headers.iter().map(|(name, value)| (name.clone(), secret(value.expose()))).collect();
    if let Some(authorization) = &http.authorization {
        headers.push(("Authorization".to_owned(), secret(authorization.expose())));
    }
    let method = match http.method {
        config::HttpMethod::Get => "GET",
        config::HttpMethod::Post => "POST",
        config::HttpMethod::Put => "PUT",
    };
    let settings = HttpGatewaySettings {
        method: method.to_owned(),
        headers,
        body: http.body.clone(),
        from: http.from.clone(),
        success_statuses: http.success_statuses.iter().map(config::StatusRange::to_range).collect(),
        success_contains: http.success_contains.clone(),
        timeout: config.outbox.send_timeout,
        ..HttpGatewaySettings::new(http.url.clone())
    };
    Ok(Arc::new(HttpGateway::new(settings).context("sms.http")?))
}
