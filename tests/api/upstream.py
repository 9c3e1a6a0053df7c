"""A local stand-in for an OpenAI-compatible server: it keeps the headers that it was sent."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SEEN = []
WORDS = ["Bear", " Peak", " is", " fine", "."]


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def take(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        SEEN.append((self.command, self.path, dict(self.headers), body))
        return json.loads(body) if body else {}

    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, events):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in events:
            part = event.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self):
        self.take()
        if self.path == "/v1/models":
            model = {"id": "local", "object": "model", "created": 0, "owned_by": "test"}
            return self.answer({"object": "list", "data": [model]})
        return self.answer({"error": {"message": "no such thing", "type": "invalid_request_error", "param": None, "code": None}}, 404)

    def do_DELETE(self):
        self.take()
        return self.answer({"id": self.path.rsplit("/", 1)[1], "object": "deleted", "deleted": True})

    def do_POST(self):
        asked = self.take()
        name = f"{len(SEEN)}"
        if self.path == "/v1/chat/completions":
            common = {"id": f"chatcmpl-{name}", "created": 0, "model": "local"}
            if not asked.get("stream"):
                message = {"role": "assistant", "content": "".join(WORDS), "refusal": None}
                return self.answer({**common, "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}]})
            chunks = [{**common, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]} for word in WORDS]
            return self.stream([f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"])
        if self.path == "/v1/responses":
            content = [{"type": "output_text", "text": "".join(WORDS), "annotations": []}]
            output = [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}]
            response = {"id": f"resp_{name}", "object": "response", "created_at": 0, "model": "local", "status": "completed", "output": output,
                        "parallel_tool_calls": False, "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None, "instructions": None, "metadata": {}}
            if not asked.get("stream"):
                return self.answer(response)
            events = [{"type": "response.created", "sequence_number": 0, "response": {**response, "status": "in_progress", "output": []}}]
            events += [{"type": "response.output_text.delta", "sequence_number": n + 1, "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": word, "logprobs": []} for n, word in enumerate(WORDS)]
            events += [{"type": "response.completed", "sequence_number": 9, "response": response}]
            return self.stream([f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events])
        return self.answer({"error": {"message": "no such thing", "type": "invalid_request_error", "param": None, "code": None}}, 404)


def start():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"
