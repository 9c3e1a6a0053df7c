//! Notices to the operator's own mailer: one POST each, signed as Standard Webhooks has it.

use super::problem::Problem;
use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long the other side may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is read of an answer, at most.
const LONGEST: usize = 64 << 10;

/// Where notices are sent, and the secret that signs them.
pub struct Webhook {
    url: reqwest::Url,
    secret: Option<Zeroizing<Vec<u8>>>,
}

impl Webhook {
    /// `secret` is `whsec_` and base64, as Standard Webhooks writes it.
    ///
    /// # Errors
    /// When the URL or the secret is none.
    pub fn new(url: &str, secret: Option<&str>) -> Result<Self> {
        let url = reqwest::Url::parse(url)
            .with_context(|| format!("--notice-webhook: {url} is no URL"))?;
        let secret = secret.map(|text| {
            BASE64_STANDARD
                .decode(text.trim_start_matches("whsec_"))
                .map(Zeroizing::new)
                .context("TACTFUL_NOTICE_SECRET: expected whsec_ and base64")
        });
        Ok(Self { url, secret: secret.transpose()? })
    }

    /// Sends one message. Gives a hash of what was answered: who keeps the answer can show that it
    /// is the one. `None` when it was not taken.
    ///
    /// # Errors
    /// When the signature cannot be made.
    pub async fn send(
        &self,
        client: &reqwest::Client,
        id: &str,
        at: jiff::Timestamp,
        message: &Value,
    ) -> Result<Option<String>, Problem> {
        let body = message.to_string();
        let seconds = at.as_second().to_string();
        let mut request = client
            .post(self.url.clone())
            .timeout(PATIENCE)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", &seconds);
        if let Some(secret) = &self.secret {
            let mut mac =
                Hmac::<Sha256>::new_from_slice(secret).map_err(|error| Problem::ours(&error))?;
            mac.update(format!("{id}.{seconds}.{body}").as_bytes());
            let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
            request = request.header("webhook-signature", format!("v1,{signature}"));
        }
        let Ok(mut answer) = request.body(body).send().await else { return Ok(None) };
        if !answer.status().is_success() {
            return Ok(None);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&answer.status().as_u16().to_be_bytes());
        let mut read = 0;
        while let Ok(Some(chunk)) = answer.chunk().await {
            read += chunk.len();
            if read > LONGEST {
                return Ok(None);
            }
            hasher.update(&chunk);
        }
        Ok(Some(hasher.finalize().to_hex().to_string()))
    }
}
