//! The API's description: made from the handlers, with what holds for all of them added once.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// What any request may be answered with.
const ALWAYS: [(&str, &str); 8] = [
    ("400", "The request does not fit; `detail` says where."),
    ("401", "No key or token that is known."),
    ("403", "The key or the token is not for this."),
    ("404", "Nothing has this name."),
    ("408", "The body took too long to come."),
    ("413", "The body is too long."),
    ("429", "Too much is waiting; `Retry-After` says when to come again."),
    ("500", "Something failed on this side."),
];

/// The routes that are passed on to the upstream, with what they are for.
const PASSED_ON: [(&str, &str, &str); 11] = [
    (
        "/v1/chat/completions",
        "post",
        "A chat, streamed or not: passed on as it is, and learned from beside the way.",
    ),
    ("/v1/chat/completions", "get", "Stored chats."),
    ("/v1/chat/completions/{id}", "get", "A stored chat."),
    (
        "/v1/chat/completions/{id}",
        "delete",
        "Delete a stored chat; with `Tactful-Account`, what it taught goes too.",
    ),
    (
        "/v1/responses",
        "post",
        "A response, streamed or not: passed on as it is, and learned from beside the way.",
    ),
    ("/v1/responses/{id}", "get", "A stored response."),
    (
        "/v1/responses/{id}",
        "delete",
        "Delete a stored response; with `Tactful-Account`, what it taught goes too.",
    ),
    ("/v1/conversations", "post", "Make a conversation."),
    (
        "/v1/conversations/{id}",
        "delete",
        "Delete a conversation; with `Tactful-Account`, what it taught goes too.",
    ),
    ("/v1/models", "get", "The upstream's models."),
    ("/v1/models/{id}", "get", "One of them."),
];

/// The headers of ours that the proxy reads and takes out.
const OURS: [(&str, &str); 6] = [
    ("Tactful-Key", "a key with the scope ingest, where `Authorization` is the upstream's"),
    ("Tactful-Account", "platform:id; else `metadata.tactful_account`, else `safety_identifier`"),
    ("Tactful-Conversation", "else `metadata.tactful_conversation`, else `conversation`"),
    ("Tactful-Region", "ISO 3166-1 alpha-2; else `metadata.tactful_region`"),
    ("Tactful-Modality", "text, voice or image_prompt; else `metadata.tactful_modality`"),
    ("Tactful-Gpp", "a GPP string"),
];

/// How an account is written.
const ACCOUNT: &str = "^[a-z0-9_-]{1,24}:[^\\x00-\\x1f\\x7f]{1,60}$";

/// The document, as it is served.
pub fn document(api: &OpenApi) -> String {
    let Ok(mut document) = serde_json::to_value(api) else { return String::new() };
    document["info"] = json!({"title": "Tactful", "version": env!("CARGO_PKG_VERSION"),
        "description": "Interests from chats with an assistant, and what they may be used for.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}});
    document["servers"] = json!([{"url": "/"}]);
    document["components"]["securitySchemes"] = json!({
        "key": {"type": "http", "scheme": "bearer",
            "description": "An operator's key (tactful keys add), by its scopes: ingest, recommend, advertiser, admin."},
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "A person's token of the operator's identity provider: `sub`, or `accounts`."}});
    // Without any keys the server is open on the machine itself, hence the empty alternative.
    document["security"] = json!([{"key": []}, {"token": []}, {}]);
    let Some(paths) = document["paths"].as_object_mut() else { return String::new() };
    for (path, operations) in paths.iter_mut() {
        let area = path.split('/').nth(2).unwrap_or_default().to_owned();
        for operation in operations.as_object_mut().into_iter().flat_map(Map::values_mut) {
            operation["tags"] = json!([area]);
            // Indexing would put a null where there are none.
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                match parameter["name"].as_str() {
                    Some("account") => parameter["schema"]["pattern"] = json!(ACCOUNT),
                    Some("at") => parameter["schema"]["format"] = json!("date-time"),
                    _ => {}
                }
            }
            complete(&mut operation["responses"]);
        }
    }
    for (path, method, summary) in PASSED_ON {
        let area = "proxy";
        let mut parameters: Vec<Value> = OURS
            .iter()
            .map(|(name, description)| {
                json!({"name": name, "in": "header", "description": description,
                    "required": false, "schema": {"type": "string"}})
            })
            .collect();
        if path.contains("{id}") {
            parameters.push(
                json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}),
            );
        }
        let mut operation = json!({"tags": [area], "summary": summary, "parameters": parameters,
            "operationId": format!("{method}{}", path.replace(['/', '{', '}', '.'], "_")),
            "responses": {"default": {"description": "The upstream's answer; or an error of ours in OpenAI's shape.",
                "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}}}}});
        if method == "post" {
            operation["requestBody"] =
                json!({"content": {"application/json": {"schema": {"type": "object"}}}});
        }
        let at = paths.entry(path).or_insert_with(|| json!({}));
        at[method] = operation;
    }
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// Adds what any request may be answered with; problems have their own content type.
fn complete(responses: &mut Value) {
    let Some(responses) = responses.as_object_mut() else { return };
    for (code, description) in ALWAYS {
        let there = responses.entry(code).or_insert_with(|| json!({}));
        there["description"] = json!(description);
        there["content"] =
            json!({"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
    }
    for (code, response) in responses.iter_mut() {
        if code.starts_with(['4', '5'])
            && let Some(content) = response.get_mut("content").and_then(Value::as_object_mut)
            && let Some(problem) = content.remove("application/json")
        {
            content.insert("application/problem+json".to_owned(), problem);
        }
    }
}
