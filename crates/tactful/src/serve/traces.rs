//! OpenTelemetry traces: a span a request, sent to a collector by OTLP over HTTP. A span holds the
//! method, the route (with its placeholders, never the path), the status and the time: no content,
//! nobody.

use anyhow::{Context, Result};
use axum::http::{HeaderMap, Method};
use opentelemetry::trace::{
    Span, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer, TracerProvider,
};
use opentelemetry::{Context as Within, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span as SdkSpan};
use std::time::Duration;

/// Where spans go.
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// A request on its way.
pub struct Begun(SdkSpan);

impl Traces {
    /// Sends to a collector, such as http://127.0.0.1:4318. Not from within the async runtime: the
    /// exporter has a thread of its own.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn to(collector: &str) -> Result<Self> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpJson)
            .with_endpoint(format!("{}/v1/traces", collector.trim_end_matches('/')))
            .with_timeout(Duration::from_secs(5))
            .build()
            .context("--otlp: the traces cannot be sent there")?;
        let named = Resource::builder().with_service_name("tactful").build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(named).build();
        let tracer = provider.tracer("tactful");
        Ok(Self { provider, tracer })
    }

    /// Begins the span of a request, under the caller's own where it names one (`traceparent`).
    pub fn begin(&self, method: &Method, route: &str, headers: &HeaderMap) -> Begun {
        let parent = headers.get("traceparent").and_then(|value| parent(value.to_str().ok()?));
        let within = match parent {
            Some(parent) => Within::new().with_remote_span_context(parent),
            None => Within::new(),
        };
        let attributes = [
            KeyValue::new("http.request.method", known(method)),
            KeyValue::new("http.route", route.to_owned()),
        ];
        let name = format!("{} {route}", known(method));
        let span = self.tracer.span_builder(name).with_kind(SpanKind::Server);
        Begun(span.with_attributes(attributes).start_with_context(&self.tracer, &within))
    }

    /// Sends what waits.
    pub fn end(&self) {
        // A collector that is away loses spans, and nothing else.
        let _ = self.provider.shutdown();
    }
}

impl Begun {
    /// The request was answered.
    pub fn end(mut self, status: u16) {
        self.0.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        if status >= 500 {
            self.0.set_status(Status::error(""));
        }
        self.0.end();
    }
}

/// A method that anyone may make up is not told.
pub fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

/// `traceparent` of W3C Trace Context, version 00.
fn parent(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let version = parts.next()?;
    let (trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
    if version != "00" || trace.len() != 32 || span.len() != 16 || flags.len() != 2 {
        return None;
    }
    let trace = TraceId::from_hex(trace).ok()?;
    let span = SpanId::from_hex(span).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::NONE);
    context.is_valid().then_some(context)
}
