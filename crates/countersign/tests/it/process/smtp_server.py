"""A mail server for the tests: takes everything, and prints one line of JSON for each message.

The first line it prints is its port. While the file that it was given exists, recipients are refused with the reply that
the file holds. What it prints of a message was read by Python's own mail parser. Given a pause in seconds, it prints only
to whom a message goes and its id, and lets the pause pass before it says that it took it.
"""

import asyncio
import base64
import email
import email.parser
import email.policy
import json
import pathlib
import sys

from aiosmtpd.smtp import SMTP

PORT, REFUSAL = int(sys.argv[1]), pathlib.Path(sys.argv[2])
PAUSE = float(sys.argv[3]) if len(sys.argv) > 3 else None


def say(**what):
    print(json.dumps(what), flush=True)


def body(message, kind):
    part = message.get_body(preferencelist=(kind,))
    return part.get_content() if part else None


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if REFUSAL.exists():
            reply = REFUSAL.read_text().strip()
            say(refused=address)
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        raw = envelope.original_content
        if PAUSE is not None:
            headers = email.parser.BytesHeaderParser(policy=email.policy.default).parsebytes(raw)
            say(to=envelope.rcpt_tos[0], message_id=headers["message-id"])
            await asyncio.sleep(PAUSE)
            return "250 OK"
        message = email.message_from_bytes(raw, policy=email.policy.default)
        headers = [[name.lower(), str(value)] for name, value in message.items()]
        date = message["date"]
        say(
            envelope_from=envelope.mail_from,
            envelope_to=envelope.rcpt_tos,
            headers=headers,
            defects=[repr(defect) for part in message.walk() for defect in part.defects],
            content_type=message.get_content_type(),
            parts=[part.get_content_type() for part in message.iter_parts()],
            date=date.datetime.timestamp() if date and date.datetime else None,
            text=body(message, "plain"),
            html=body(message, "html"),
            raw=base64.b64encode(raw).decode(),
        )
        return "250 OK"


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Handler(), hostname="mail.test", loop=loop, enable_SMTPUTF8=True), "127.0.0.1", PORT
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
