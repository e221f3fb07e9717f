"""Functions of landing pages that also work in mails (ampscript.md §14, Sites)."""

from postroom.content.ampscript.functions.registry import function
from postroom.content.ampscript.run import Run


@function(
    "RequestParameter",
    minimum=1,
    maximum=1,
    params="name",
    doc="A parameter of the page's request; a mail has none, so nothing.",
    category="Sites",
)
@function(
    "QueryParameter",
    minimum=1,
    maximum=1,
    params="name",
    doc="A parameter of the page's request; a mail has none, so nothing.",
    category="Sites",
)
def request_parameter(run: Run, name: object) -> str:
    return ""


@function(
    "AuthenticatedEmployeeID",
    maximum=0,
    doc="Who is signed in to a microsite; in a mail nobody.",
    category="Sites",
)
@function(
    "AuthenticatedEmployeeUserName",
    maximum=0,
    doc="Who is signed in to a microsite; in a mail nobody.",
    category="Sites",
)
@function(
    "AuthenticatedEmployeeNotificationAddress",
    maximum=0,
    doc="Who is signed in to a microsite; in a mail nobody.",
    category="Sites",
)
def authenticated_employee(run: Run) -> str:
    return ""


@function(
    "AuthenticatedEnterpriseID",
    maximum=0,
    doc="The id of the enterprise the business unit belongs to.",
    category="Sites",
)
def authenticated_enterprise_id(run: Run) -> str:
    account = run.account
    identity = account.enterprise_id or account.account_id
    return str(identity) if identity else ""


@function("AuthenticatedMemberID", maximum=0, doc="The id of the business unit.", category="Sites")
def authenticated_member_id(run: Run) -> str:
    return str(run.account.account_id) if run.account.account_id else ""


@function("AuthenticatedMemberName", maximum=0, doc="The name of the business unit.", category="Sites")
def authenticated_member_name(run: Run) -> str:
    return run.account.name
