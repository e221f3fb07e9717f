"""Reports as mail systems write them, after the programs' own forms; names and addresses are made up."""

TOKEN = "b+" + "a" * 13 + "0" * 48

RETURNED = f"""\
Return-Path: <{TOKEN}@bounces.example.com>
Received: from mail.example.com (mail.example.com [192.0.2.1])
	by mx.example.net (Postfix) with ESMTPS id 4XyZ
	for <joe@example.net>; Mon, 23 Nov 2026 03:00:00 +0000 (UTC)
From: Shop <shop@example.com>
To: joe@example.net
Subject: Your order
Message-ID: <0.1234.100001@example.com>
"""


def crlf(text: str) -> bytes:
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode()


def postfix(
    *,
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "smtp; 550 5.1.1 <joe@example.net>: Recipient address rejected:\n    User unknown in local"
    " recipient table",
    subject: str = "Undelivered Mail Returned to Sender",
    recipient: str = "joe@example.net",
    returned: str = RETURNED,
) -> bytes:
    return crlf(f"""\
Return-Path: <>
Received: by relay.example.net (Postfix)
	id 5AbC; Mon, 23 Nov 2026 03:00:05 +0000 (UTC)
Date: Mon, 23 Nov 2026 03:00:05 +0000 (UTC)
From: MAILER-DAEMON@relay.example.net (Mail Delivery System)
Subject: {subject}
To: {TOKEN}@bounces.example.com
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary="5AbC.1700000005/relay.example.net"
Message-Id: <20261123030005.5AbC@relay.example.net>

This is a MIME-encapsulated message.

--5AbC.1700000005/relay.example.net
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host relay.example.net.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

<{recipient}>: host mx.example.net[192.0.2.9] said: 550 5.1.1 no

--5AbC.1700000005/relay.example.net
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.net
X-Postfix-Queue-ID: 5AbC
X-Postfix-Sender: rfc822; {TOKEN}@bounces.example.com
Arrival-Date: Mon, 23 Nov 2026 03:00:00 +0000 (UTC)

Final-Recipient: rfc822; {recipient}
Original-Recipient: rfc822;{recipient}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.net
Diagnostic-Code: {diagnostic}

--5AbC.1700000005/relay.example.net
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

{returned}
--5AbC.1700000005/relay.example.net--
""")


EXIM_OLD = crlf(f"""\
Return-path: <>
From: Mail Delivery System <Mailer-Daemon@mail.example.net>
To: {TOKEN}@bounces.example.com
Auto-Submitted: auto-replied
X-Failed-Recipients: joe@example.net
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1abcde-0001Ab-CD@mail.example.net>

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  joe@example.net
    host mx.example.net [192.0.2.9]
    SMTP error from remote mail server after RCPT TO:<joe@example.net>:
    550 Unrouteable address

------ This is a copy of the message, including all the headers. ------

{RETURNED}
the user does not exist, says our own text
""")

EXIM_NEW = crlf(f"""\
Return-path: <>
From: Mail Delivery System <Mailer-Daemon@mail.example.net>
To: {TOKEN}@bounces.example.com
Auto-Submitted: auto-replied
Content-Type: multipart/report; report-type=delivery-status; boundary=1700000000-eximdsn-1
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender

--1700000000-eximdsn-1
Content-type: text/plain; charset=us-ascii

This message was created automatically by mail delivery software.

--1700000000-eximdsn-1
Content-type: message/delivery-status

Reporting-MTA: dns; mail.example.net

Action: failed
Final-Recipient: rfc822;joe@example.net
Status: 5.0.0
Remote-MTA: dns; mx.example.net
Diagnostic-Code: smtp; 552 5.2.2 <joe@example.net>: user is over quota

--1700000000-eximdsn-1
Content-type: message/rfc822

{RETURNED}
hello

--1700000000-eximdsn-1--
""")

EXIM_ITSELF = EXIM_NEW.replace(
    b"Remote-MTA: dns; mx.example.net\r\nDiagnostic-Code: smtp; 552 5.2.2 <joe@example.net>: user is over quota\r\n",
    b"",
).replace(
    b"by mail delivery software.\r\n",
    crlf("""by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  joe@example.net
    mailbox is full: retry timeout exceeded
  ann@example.net
    Unrouteable address
"""),
)
"""What Exim could not deliver by itself has no Diagnostic-Code."""

EXCHANGE = crlf(f"""\
From: <postmaster@example.net>
To: <{TOKEN}@bounces.example.com>
Subject: =?utf-8?B?VW56dXN0ZWxsYmFyOiBZb3VyIG9yZGVy?=
X-Auto-Response-Suppress: All
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="x=_1"

--x=_1
Content-Type: multipart/alternative; boundary="y=_1"

--y=_1
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: quoted-printable

Fehler bei der Nachrichtenzustellung an folgende Empf=C3=A4nger oder Gruppen: joe@example.net

--y=_1
Content-Type: text/html; charset="utf-8"

<p>Fehler</p>

--y=_1--

--x=_1
Content-Type: message/delivery-status

Reporting-MTA: dns;EX1.example.net
Received-From-MTA: dns;mail.example.com
Arrival-Date: Mon, 23 Nov 2026 03:00:00 +0000

Original-Recipient: rfc822;joe@example.net
Final-Recipient: rfc822;joe@example.net
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup

--x=_1
Content-Type: message/rfc822

{RETURNED}
hello
--x=_1--
""")

QMAIL = crlf(f"""\
Return-Path: <>
From: MAILER-DAEMON@qmail.example.net
To: {TOKEN}@bounces.example.com
Subject: failure notice

Hi. This is the qmail-send program at qmail.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<joe@example.net>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

{RETURNED}
hello
""")

WORDS = crlf(f"""\
From: Mail System <mailer-daemon@web.example.org>
To: {TOKEN}@bounces.example.com
Subject: Ihre Nachricht konnte nicht zugestellt werden - Unzustellbar
Content-Type: text/html; charset=iso-8859-1

<html><style>p {{ color: red }}</style><p>Die Adresse wurde abgelehnt:<br>
550 5.1.1 Benutzer unbekannt</p></html>
""")

VACATION = crlf(f"""\
From: Joe <joe@example.net>
To: {TOKEN}@bounces.example.com
Subject: =?utf-8?Q?Automatische_Antwort=3A_Your_order?=
Auto-Submitted: auto-generated
X-Auto-Response-Suppress: All

Ich bin bis zum 5.12. nicht im Hause. In dringenden Fällen: 555 0123, or write to 550 Main Street.
""")

REPLY = crlf(f"""\
From: Joe <joe@example.net>
To: {TOKEN}@bounces.example.com
Subject: Re: Undelivered order

Where is my parcel? The shop said: 550 5.1.1 User unknown
""")


def complaint(kind: str = "abuse", *, token: str = TOKEN) -> bytes:
    return crlf(f"""\
From: <abusedesk@example.net>
Date: Mon, 23 Nov 2026 03:10:00 +0000
Subject: FW: Your order
To: <fbl@bounces.example.com>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report;
     boundary="part1_13d.2e68ed54_boundary"

--part1_13d.2e68ed54_boundary
Content-Type: text/plain; charset="US-ASCII"
Content-Transfer-Encoding: 7bit

This is an email abuse report for an email message received from IP 192.0.2.1.

--part1_13d.2e68ed54_boundary
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{token}@bounces.example.com>
Original-Rcpt-To: <joe@example.net>
Arrival-Date: Mon, 23 Nov 2026 03:00:00 +0000
Reporting-MTA: dns; mail.example.net
Source-IP: 192.0.2.1

--part1_13d.2e68ed54_boundary
Content-Type: message/rfc822
Content-Disposition: inline

{RETURNED}
hello
--part1_13d.2e68ed54_boundary--
""")
