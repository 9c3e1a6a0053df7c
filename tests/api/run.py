"""The official OpenAI clients through the proxy, and the API against its own description.

`python run.py BINARY`: starts the server and a local upstream, and stops both.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import openai
import upstream

HERE = pathlib.Path(__file__).resolve().parent
POLICY = HERE.parent.parent / "policies" / "announced-2025-12-16.toml"
ASKED = "What are good hikes near Boulder?"


class Server:
    def __init__(self, binary, folder, *arguments):
        command = [binary, "serve", "--listen", "127.0.0.1:0", "--policy", str(POLICY), *arguments]
        self.log = open(pathlib.Path(folder) / "log", "w+")
        self.process = subprocess.Popen(command, cwd=folder, stderr=self.log)
        for _ in range(600):
            lines = pathlib.Path(self.log.name).read_text().splitlines()
            found = [line.split(" ")[2] for line in lines if line.startswith("listening on ")]
            if found:
                self.url = found[0]
                return
            assert self.process.poll() is None, lines
            time.sleep(0.1)
        raise AssertionError("it did not start")

    def stop(self):
        self.process.terminate()
        assert self.process.wait(30) == 0

    def get(self, path):
        with urllib.request.urlopen(self.url + path) as answer:
            return json.load(answer)

    def tell(self, account):
        events = [
            {"type": "account", "at": "2025-10-01T00:00:00Z", "account": account, "region": "US", "birth_date": "1990-05-17"},
            {"type": "notice", "at": "2025-10-07T12:00:00Z", "account": account, "notice": "ai-chats", "version": "1", "channel": "email", "delivered": True},
        ]
        request = urllib.request.Request(self.url + "/v1/events", json.dumps(events).encode(), {"content-type": "application/json"})
        urllib.request.urlopen(request).read()

    def learns(self, account, something):
        for _ in range(200):
            interests = self.get(f"/v1/persons/{account}/profile")["interests"]
            if bool(interests) == something:
                return
            time.sleep(0.1)
        raise AssertionError(f"{account}: {interests}")


def official_python(server):
    ours = {"Tactful-Account": "whatsapp:python", "Tactful-Conversation": "p1"}
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="sk-python", max_retries=0, default_headers=ours)
    server.tell("whatsapp:python")
    messages = [{"role": "user", "content": ASKED}]
    answer = client.chat.completions.create(model="local", messages=messages)
    assert answer.choices[0].message.content == "Bear Peak is fine."
    server.learns("whatsapp:python", True)
    # The stored answer is deleted: what it taught goes.
    client.chat.completions.delete(answer.id)
    server.learns("whatsapp:python", False)
    stream = client.chat.completions.create(model="local", messages=messages, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "Bear Peak is fine."
    server.learns("whatsapp:python", True)
    client.conversations.delete("p1")
    server.learns("whatsapp:python", False)
    response = client.responses.create(model="local", input=ASKED, extra_headers={"Tactful-Conversation": "p2"})
    assert response.output_text == "Bear Peak is fine."
    server.learns("whatsapp:python", True)
    client.responses.delete(response.id)
    server.learns("whatsapp:python", False)
    events = client.responses.create(model="local", input=ASKED, stream=True, extra_headers={"Tactful-Conversation": "p3"})
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Bear Peak is fine."
    assert client.models.list().data[0].id == "local"
    try:
        client.models.retrieve("none")
        raise AssertionError("an error of the upstream was lost")
    except openai.NotFoundError as error:
        assert error.body["type"] == "invalid_request_error"
    # By metadata, with the plain client.
    plain = openai.OpenAI(base_url=server.url + "/v1", api_key="sk-python", max_retries=0)
    server.tell("whatsapp:meta")
    plain.chat.completions.create(model="local", messages=messages, metadata={"tactful_account": "whatsapp:meta", "tactful_conversation": "m1"})
    server.learns("whatsapp:meta", True)


def official_node(server):
    server.tell("whatsapp:node")
    subprocess.run(["node", str(HERE / "official.mjs"), server.url + "/v1"], check=True, timeout=120)
    server.learns("whatsapp:node", False)


def nothing_of_ours_was_passed_on():
    assert len(upstream.SEEN) > 15
    for method, path, headers, _ in upstream.SEEN:
        assert not any(name.lower().startswith("tactful") for name in headers), (method, path)
        assert headers.get("Authorization", headers.get("authorization", "")).startswith("Bearer sk-"), (method, path)


def described(server):
    """Every route of /openapi.json, with what schemathesis makes up."""
    command = [str(pathlib.Path(sys.executable).parent / "schemathesis"), "run", server.url + "/openapi.json",
               "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method",
               "--exclude-tag", "proxy", "--max-examples", "25", "--seed", "20251216", "--phases", "examples,coverage,fuzzing",
               "--suppress-health-check", "all", "--no-color"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)}
    subprocess.run(command, check=True, timeout=1200, env=environment, cwd=server.log.name.rsplit("/", 1)[0])


def main():
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        server = Server(binary, folder, "--upstream", upstream.start())
        try:
            official_python(server)
            official_node(server)
            nothing_of_ours_was_passed_on()
            described(server)
        finally:
            server.stop()


main()
