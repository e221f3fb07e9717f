"""Replies as receivers give them, each with whose fault it is, how lasting, and what kind.

Written after the receivers' documentation and the texts of the programs; addresses and names are made up.
"""

USER = "recipient hard no-such-user"
DISABLED = "recipient hard disabled"
DOMAIN = "recipient hard no-such-domain"
FULL = "recipient soft full"
REPUTATION = "sender block reputation"
AUTHENTICATION = "sender block authentication"
SPAM = "sender block spam"
RATE = "sender soft rate"
PROHIBITED = "sender block prohibited"
CONNECTION = "infrastructure technical connection"

REPLIES: list[tuple[str, str, str]] = [
    # (who says it, text, fault permanence category)
    # -- Gmail
    (
        "gmail",
        "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking the recipient's email address for typos or 550-5.1.1 unnecessary spaces. For more information, go to 550 5.1.1 https://support.google.com/mail/?p=NoSuchUser d9443c01a7336-1f9 - gsmtp",
        USER,
    ),
    (
        "gmail",
        "552-5.2.2 The email account that you tried to reach is over quota. Please direct the recipient to https://support.google.com/mail/?p=OverQuotaPerm - gsmtp",
        FULL,
    ),
    (
        "gmail",
        "452-4.2.2 The recipient's inbox is out of storage space. Please direct the recipient to https://support.google.com/mail/?p=OverQuotaTemp - gsmtp",
        FULL,
    ),
    (
        "gmail",
        "550-5.2.1 The email account that you tried to reach is inactive. For more information, go to https://support.google.com/mail/?p=DisabledUser - gsmtp",
        DISABLED,
    ),
    (
        "gmail",
        "550-5.2.1 The email account that you tried to reach is disabled. Learn more at https://support.google.com/mail/?p=DisabledUser - gsmtp",
        DISABLED,
    ),
    (
        "gmail",
        "450-4.2.1 The user you are trying to contact is receiving email at a rate that prevents additional messages from being delivered. https://support.google.com/mail/?p=ReceivingRate - gsmtp",
        "recipient soft rate",
    ),
    (
        "gmail",
        "550-5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM. - gsmtp",
        AUTHENTICATION,
    ),
    (
        "gmail",
        "550-5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy. - gsmtp",
        AUTHENTICATION,
    ),
    (
        "gmail",
        "550-5.7.25 The IP address sending this message does not have a PTR record setup, or the corresponding forward DNS entry does not point to the sending IP. - gsmtp",
        "sender block reverse-dns",
    ),
    (
        "gmail",
        "550-5.7.1 [192.0.2.1 12] Our system has detected that this message is likely unsolicited mail. To reduce the amount of spam sent to Gmail, this message has been blocked. https://support.google.com/mail/?p=UnsolicitedMessageError - gsmtp",
        SPAM,
    ),
    (
        "gmail",
        "421-4.7.0 [192.0.2.1 15] Our system has detected an unusual rate of unsolicited mail originating from your IP address. To protect our users from spam, mail sent from your IP address has been temporarily rate limited. - gsmtp",
        RATE,
    ),
    ("gmail", "421-4.7.28 Gmail has detected an unusual rate of mail originating from your SPF domain. - gsmtp", RATE),
    (
        "gmail",
        "552-5.7.0 This message was blocked because its content presents a potential security issue. https://support.google.com/mail/?p=BlockedMessage - gsmtp",
        "sender block virus",
    ),
    (
        "gmail",
        "552-5.3.4 Your message exceeded Google's message size limits. https://support.google.com/mail/?p=MaxSizeError - gsmtp",
        "sender soft too-large",
    ),
    (
        "gmail",
        "550-5.7.1 The user or domain that you are sending to (or from) has a policy that prohibited the mail that you sent. - gsmtp",
        "policy block restricted",
    ),
    ("gmail", "421 4.4.5 Server busy, try again later. - gsmtp", "infrastructure soft busy"),
    (
        "gmail",
        "550-5.7.1 Messages missing a valid Message-ID header are not accepted. RFC 5322 non-compliant - gsmtp",
        "sender technical malformed",
    ),
    (
        "gmail",
        "550 5.7.1 [192.0.2.1] Our system has detected that this message is likely suspicious due to the very low reputation of the sending domain. To best protect our users from spam, the message has been blocked.",
        "sender block domain-reputation",
    ),
    (
        "gmail",
        "550 5.7.1 [192.0.2.1] Our system has detected that this message is likely suspicious due to the very low reputation of the sending IP address. To best protect our users from spam, the message has been blocked.",
        REPUTATION,
    ),
    # -- Outlook, Hotmail, Exchange Online, Exchange
    (
        "outlook",
        "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). [BN8NAM12FT012.eop-nam12.prod.protection.outlook.com]",
        USER,
    ),
    ("outlook", "552 5.2.2 Mailbox full. STOREDRV.Deliver.Exception:QuotaExceededException", FULL),
    (
        "outlook",
        "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140). [AM6EUR05FT050.eop-eur05.prod.protection.outlook.com]",
        REPUTATION,
    ),
    (
        "outlook",
        "421 RP-001 (BAY004-MC3F15) Unfortunately, some messages from 192.0.2.1 weren't sent. The mail server IP connecting to Outlook.com server has exceeded the rate limit allowed.",
        RATE,
    ),
    ("outlook", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", USER),
    (
        "outlook",
        "550 5.4.1 Recipient address rejected: Access denied. [DB5EUR01FT031.eop-EUR01.prod.protection.outlook.com]",
        USER,
    ),
    (
        "outlook",
        "550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list please visit https://sender.office.com/",
        REPUTATION,
    ),
    (
        "outlook",
        "550 5.7.511 Access denied, banned sender[192.0.2.1]. To request removal from this list, forward this message to delist@microsoft.com",
        REPUTATION,
    ),
    (
        "outlook",
        "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation. For e-mail delivery information, see https://postmaster.live.com (S775)",
        RATE,
    ),
    (
        "outlook",
        "550 5.7.509 Access denied, sending domain EXAMPLE.COM does not pass DMARC verification and has a DMARC policy of reject.",
        AUTHENTICATION,
    ),
    (
        "outlook",
        "550 5.7.515 Access denied, sending domain EXAMPLE.COM doesn't meet the required authentication level.",
        AUTHENTICATION,
    ),
    (
        "outlook",
        "550 5.7.23 The message was rejected because of Sender Policy Framework violation -> 550 5.7.1 SPF",
        AUTHENTICATION,
    ),
    (
        "outlook",
        "550 5.7.64 TenantAttribution; Relay Access Denied [BL2NAM02FT014.eop-nam02.prod.protection.outlook.com]",
        "infrastructure technical relay-denied",
    ),
    (
        "outlook",
        "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check failed because the sender was not authenticated when sending to this group",
        "policy block restricted",
    ),
    (
        "outlook",
        "550 5.7.124 RESOLVER.RST.SenderNotInAllowedSenders; sender not in allowed-senders list",
        "policy block restricted",
    ),
    ("outlook", "550 5.4.310 DNS domain nowhere.example does not exist [Message=InfoDomainNonexistent]", DOMAIN),
    ("outlook", "550 5.4.316 Message expired, connection refused(Socket error code 10061)", CONNECTION),
    ("outlook", "550 5.4.300 Message expired -> 451 4.4.0", "infrastructure technical expired"),
    ("outlook", "554 5.4.14 Hop count exceeded - possible mail loop ATTR34", "infrastructure technical loop"),
    (
        "outlook",
        "550 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using Spamhaus. To request removal from this list see https://www.spamhaus.org/query/ip/192.0.2.1 (AS16012609)",
        REPUTATION,
    ),
    ("exchange", "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found", USER),
    ("exchange", "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", "policy block restricted"),
    (
        "exchange",
        "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient",
        "sender soft too-large",
    ),
    ("exchange", "554 5.2.2 mailbox full; STOREDRV.Deliver; 0x8004060C", FULL),
    ("exchange", "452 4.3.1 Insufficient system resources", "infrastructure soft busy"),
    ("exchange", "550 5.7.1 Unable to relay for joe@example.net", "infrastructure technical relay-denied"),
    (
        "exchange",
        "550 5.6.211 Invalid MIME Content: Number of MIME nested levels exceeded",
        "sender technical malformed",
    ),
    # -- Yahoo, AOL
    (
        "yahoo",
        "554 delivery error: dd This user doesn't have a yahoo.com account (joe@yahoo.com) [0] - mta4012.mail.bf1.yahoo.com",
        USER,
    ),
    (
        "yahoo",
        "554 30 Sorry, your message to joe@yahoo.com cannot be delivered. This mailbox is disabled (554.30).",
        DISABLED,
    ),
    ("yahoo", "552 1 Requested mail action aborted, mailbox not found", USER),
    (
        "yahoo",
        "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes",
        RATE,
    ),
    (
        "yahoo",
        "553 5.7.1 [BL21] Connections not accepted from IP addresses on Spamhaus PBL; see https://postmaster.yahooinc.com/error-codes [550]",
        REPUTATION,
    ),
    (
        "yahoo",
        "554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes",
        PROHIBITED,
    ),
    ("yahoo", "554 5.7.5 (DMARC) Unauthenticated email is not accepted from this domain", AUTHENTICATION),
    ("yahoo", "552 5.2.2 Mailbox is full - Over quota", FULL),
    (
        "aol",
        "554 5.7.1 (HVU:B2) https://postmaster.aol.com/error-codes#554hvub2 a URL in the message was rejected as spam",
        SPAM,
    ),
    # -- Apple
    ("apple", "550 5.1.1 <joe@icloud.com>: user does not exist", USER),
    ("apple", "552 5.2.2 <joe@icloud.com>: user is over quota", FULL),
    (
        "apple",
        "554 5.7.1 [CS01] Message rejected due to local policy. Please visit https://support.apple.com/en-us/HT204137",
        PROHIBITED,
    ),
    (
        "apple",
        "550 5.7.1 Mail from IP 192.0.2.1 was rejected due to listing in Spamhaus PBL. For details please see http://www.spamhaus.org/query/bl?ip=192.0.2.1",
        REPUTATION,
    ),
    ("apple", "550 5.2.1 <joe@me.com>: inactive email address; account is inactive", DISABLED),
    # -- Postfix
    (
        "postfix",
        "554 5.7.1 Service unavailable; Sender address [shop@example.com] blocked using dbl.spamhaus.org; https://www.spamhaus.org/query/domain/example.com",
        "sender block domain-reputation",
    ),
    ("postfix", "550 5.1.1 <joe@example.net>: Recipient address rejected: User unknown in local recipient table", USER),
    ("postfix", "550 5.1.1 <joe@example.net>: Recipient address rejected: User unknown in virtual mailbox table", USER),
    ("postfix", 'X-Postfix; unknown user: "joe"', USER),
    ("postfix", "554 5.7.1 <joe@example.net>: Relay access denied", "infrastructure technical relay-denied"),
    (
        "postfix",
        "450 4.2.0 <joe@example.net>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.net.html",
        "policy soft greylisted",
    ),
    (
        "postfix",
        "X-Postfix; Host or domain name not found. Name service error for name=nowhere.example type=AAAA: Host not found",
        DOMAIN,
    ),
    (
        "postfix",
        "X-Postfix; Host or domain name not found. Name service error for name=slow.example type=MX: Host not found, try again",
        "infrastructure technical dns",
    ),
    ("postfix", "X-Postfix; connect to mx.example.net[192.0.2.9]:25: Connection timed out", CONNECTION),
    (
        "postfix",
        "X-Postfix; lost connection with mx.example.net[192.0.2.9] while receiving the initial server greeting",
        CONNECTION,
    ),
    ("postfix", "X-Postfix; mail for example.net loops back to myself", "infrastructure technical loop"),
    ("postfix", "552 5.3.4 Message size exceeds fixed limit", "sender soft too-large"),
    (
        "postfix",
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1",
        REPUTATION,
    ),
    (
        "postfix",
        "550 5.7.1 <shop@example.com>: Sender address rejected: Domain not found",
        "sender block sender-address",
    ),
    (
        "postfix",
        "450 4.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.1]",
        "sender block reverse-dns",
    ),
    (
        "postfix",
        "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname",
        "sender block reverse-dns",
    ),
    ("postfix", "X-Postfix; maildir delivery failed: The user you're trying to reach is over disk quota", FULL),
    ("postfix", "530 5.7.0 Must issue a STARTTLS command first", "infrastructure technical tls"),
    (
        "postfix",
        "550 5.7.23 <joe@example.net>: Recipient address rejected: Message rejected due to: SPF fail - not authorized",
        AUTHENTICATION,
    ),
    (
        "postfix",
        "450 4.1.1 <joe@example.net>: Recipient address rejected: unverified address: user unknown",
        "infrastructure soft temporary",
    ),
    # -- Exim
    ("exim", "550 Unrouteable address", USER),
    ("exim", "550 Unknown user", USER),
    (
        "exim",
        "550-Verification failed for <shop@example.com> 550-Called: 192.0.2.5 550 Sender verify failed",
        "sender block sender-address",
    ),
    ("exim", "all relevant MX records point to non-existent hosts", DOMAIN),
    ("exim", "retry timeout exceeded", "infrastructure technical expired"),
    ("exim", "451 Temporary local problem - please try later", "infrastructure soft busy"),
    ("exim", "550 relay not permitted", "infrastructure technical relay-denied"),
    ("exim", '550 "JunkMail rejected - [192.0.2.1]:4123 is in an RBL: see https://check.spamhaus.org/"', REPUTATION),
    ("exim", "550 mailbox quota exceeded for this user", FULL),
    ("exim", "550 maximum allowed line length is 998 octets, got 2412", "sender technical malformed"),
    ("exim", "550 header syntax", "sender technical malformed"),
    ("exim", "550 There is no valid sender in any header line", "sender technical malformed"),
    ("exim", "550 No verifiable sender address in message headers", "sender block sender-address"),
    ("exim", "550 This message scored 12.3 spam points.", SPAM),
    ("exim", "550 restricted characters in address", "recipient hard bad-address"),
    ("exim", "554 SMTP synchronization error", "infrastructure technical protocol"),
    (
        "exim",
        "550-Callout verification failed: 550-550 5.1.1 no such user 550 Sender verify failed",
        "sender block sender-address",
    ),
    # -- qmail, Domino, sendmail
    ("qmail", "550 Sorry, no mailbox here by that name. (#5.1.1)", USER),
    ("qmail", "This address no longer accepts mail.", DISABLED),
    ("qmail", "Sorry, I couldn't find any host named nowhere.example. (#5.1.2)", DOMAIN),
    (
        "qmail",
        "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
        "infrastructure technical relay-denied",
    ),
    ("domino", "550 joe@example.net... No such user", USER),
    ("domino", "User joe (joe@example.net) not listed in Domino Directory", USER),
    ("sendmail", "550 5.1.1 <joe@example.net>... User unknown", USER),
    (
        "sendmail",
        "550 5.1.2 <joe@nowhere.example>... Host unknown (Name server: nowhere.example: host not found)",
        DOMAIN,
    ),
    ("sendmail", "451 4.1.8 Domain of sender address shop@example.com does not resolve", "sender block sender-address"),
    # -- Proofpoint, Mimecast, Barracuda, IronPort, Sophos
    ("proofpoint", "554 5.7.1 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1", REPUTATION),
    ("proofpoint", "550 5.1.1 User Unknown", USER),
    ("proofpoint", "554 5.7.0 Reject, id=31337-12", PROHIBITED),
    ("proofpoint", "550 5.7.0 Local Policy Violation", PROHIBITED),
    ("mimecast", "550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550 [aZ1xQ.eu12]", USER),
    (
        "mimecast",
        "550 Administrative prohibition - envelope blocked - https://community.mimecast.com/docs/DOC-1369#550",
        PROHIBITED,
    ),
    (
        "mimecast",
        "550 Rejected by header based manually blocked senders - https://community.mimecast.com/docs/DOC-1369#550",
        REPUTATION,
    ),
    ("mimecast", "550 Rejected by header based Anti-Spoofing policy: shop@example.com", AUTHENTICATION),
    ("mimecast", "554 Email rejected due to security policies - MCSpamSignature.sa.1.1 (fLx)", SPAM),
    (
        "mimecast",
        "451 Internal resources are temporarily unavailable - https://community.mimecast.com/docs/DOC-1369#451",
        "infrastructure soft busy",
    ),
    (
        "mimecast",
        "550 csi.mimecast.org Poor Reputation Sender. - https://community.mimecast.com/docs/DOC-1369#550",
        REPUTATION,
    ),
    (
        "barracuda",
        "554 Service unavailable; Client host [mail.example.com] blocked using Barracuda Reputation; http://www.barracudanetworks.com/reputation/?r=1&ip=192.0.2.1",
        REPUTATION,
    ),
    ("barracuda", "550 permanent failure for one or more recipients (joe@example.net:550 5.1.1 User unknown)", USER),
    (
        "barracuda",
        "550 permanent failure for one or more recipients (joe@example.net:blocked)",
        "infrastructure technical unknown",
    ),
    (
        "ironport",
        "554 Your access to this mail system has been rejected due to the sending MTA's poor reputation. If you believe that this failure is in error, please contact the intended recipient via alternate means.",
        REPUTATION,
    ),
    ("ironport", "550 #5.1.0 Address rejected.", USER),
    ("ironport", "452 Too many recipients received this hour", RATE),
    ("sophos", "550 5.7.1 message rejected as spam by content scanner", SPAM),
    # -- Europe
    (
        "gmx",
        "550 Requested action not taken: mailbox unavailable For explanation visit https://postmaster.gmx.net/en/case?c=r0103&i=ip&v=192.0.2.1",
        USER,
    ),
    (
        "gmx",
        "554 Transaction failed Reject due to policy restrictions. For explanation visit https://postmaster.gmx.net/en/case?c=hi",
        PROHIBITED,
    ),
    (
        "web.de",
        "554 web.de (mxweb110) Nemesis ESMTP Service not available No SMTP service Bad DNS PTR resource record. For explanation visit https://postmaster.web.de/en/case?c=rdns",
        "sender block reverse-dns",
    ),
    (
        "web.de",
        "552 Requested mail action aborted: exceeded storage allocation: Quota exceeded. The recipient's mailbox is full.",
        FULL,
    ),
    (
        "t-online",
        "554 IP=192.0.2.1 - None/bad reputation. Ask your postmaster for help or to contact tosa@rx.t-online.de for reset. (NOWL)",
        REPUTATION,
    ),
    ("t-online", "550 5.1.1 user unknown / Benutzer unbekannt", USER),
    ("orange", "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR204_416 [416]", USER),
    (
        "orange",
        "550 5.7.1 Service refuse. Veuillez essayer plus tard. Service refused, please try later. OFR_506 [506]",
        REPUTATION,
    ),
    (
        "orange",
        "421 smtp.orange.fr Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down. OFR004_104 [104]",
        RATE,
    ),
    ("free", "550 5.2.1 This mailbox has been blocked due to inactivity: account is disabled", DISABLED),
    (
        "laposte",
        "550 5.5.0 Service refuse. Veuillez essayer plus tard. service refused, please try later. LPN007_510",
        REPUTATION,
    ),
    (
        "libero",
        "550 smtp-18.iol.local smtp-18.iol.local IP blacklisted by CSI. For remediation please use http://csi.cloudmark.com/reset-request/?ip=192.0.2.1",
        REPUTATION,
    ),
    (
        "mail.ru",
        "550 Message was not accepted -- invalid mailbox.  Local mailbox joe@mail.ru is unavailable: user not found",
        USER,
    ),
    (
        "mail.ru",
        "550 Message was not accepted -- invalid mailbox.  Local mailbox joe@mail.ru is unavailable: account is disabled",
        DISABLED,
    ),
    (
        "mail.ru",
        "550 spam message rejected. Please visit http://help.mail.ru/notspam-support/id?c=abc or report details to abuse@corp.mail.ru.",
        SPAM,
    ),
    ("mail.ru", "550 5.7.1 This message was not accepted due to domain owner DMARC policy", AUTHENTICATION),
    ("yandex", "550 5.7.1 No such user!", USER),
    (
        "yandex",
        "554 5.7.1 [2] Message rejected under suspicion of SPAM; https://ya.cc/1IrBc 1700000000-abcdefghij",
        SPAM,
    ),
    ("seznam", "550 5.1.1 We do not know such mailbox: no such mailbox here", USER),
    ("proton", "550 5.1.1 <joe@proton.me>: Recipient address rejected: Address does not exist", USER),
    # -- elsewhere
    ("comcast", "550 5.1.1 Not our Customer", USER),
    (
        "comcast",
        "421 4.1.0 192.0.2.1 Throttled - try again later. Please see http://postmaster.comcast.net/smtp-error-codes.php#RL000001",
        RATE,
    ),
    (
        "att",
        "550 5.7.1 Connections not accepted from servers without a valid sender domain.alph764 Fix reverse DNS for 192.0.2.1",
        "sender block reverse-dns",
    ),
    (
        "att",
        "553 5.3.0 flpd575 DNSBL:RBL 521< 192.0.2.1 >_is_blocked.For assistance forward this email to abuse_rbl@abuse-att.net",
        REPUTATION,
    ),
    ("qq", "550 Mailbox not found. http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000728", USER),
    ("qq", "550 Mail content denied. http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000726", SPAM),
    ("163", "550 User not found: joe@163.com", USER),
    ("163", "554 DT:SPM 163 smtp14,EsCowABX, please see http://mail.163.com/help/help_spam_16.htm", SPAM),
    ("163", "550 Connection frequency limited", RATE),
    ("sina", "559 Invalid rcptto [@sm070.sina.com]", USER),
    ("zoho", "550 5.4.6 Unusual sending activity detected: mail loop", "infrastructure technical loop"),
    ("fastmail", "551 5.7.1 The message was rejected, contains malware (Win.Test.EICAR)", "sender block virus"),
    (
        "nullmx",
        "556 5.1.10 <joe@example.com>: Recipient address rejected: Domain example.com does not accept mail (nullMX)",
        DOMAIN,
    ),
    ("ours", "not sent: the domain nowhere.example does not exist", DOMAIN),
    ("any", "550 5.1.3 <joe@@example>: bad address syntax", "recipient hard bad-address"),
    ("any", "535 5.7.8 Error: authentication failed", "infrastructure technical credentials"),
    ("any", "550 5.7.1 go away", PROHIBITED),
    ("any", "550 5.0.0 no", "infrastructure technical unknown"),
    ("any", "451 4.3.0 temporary lookup failure", "infrastructure technical dns"),
    ("any", "", "infrastructure technical unknown"),
]
