"""A minimal server that passes events to the handler, instead of the emulator in AWS's images."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer

from lambda_function import lambda_handler


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(lambda_handler(event, None)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
