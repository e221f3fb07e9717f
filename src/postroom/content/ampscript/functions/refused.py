"""Functions the vendor refuses in email, and those of services no other server has: errors when compiling."""

from typing import Final

from postroom.content.ampscript.faults import Refused
from postroom.content.ampscript.functions.registry import Kind, function
from postroom.content.ampscript.run import Run

_BATCH: Final = "it writes at once, which a mail may not; write {} instead"
_PAGE: Final = "it exists on landing pages only"
_FILTER: Final = "the vendor refuses saved data filters in email; use LookupRows or LookupOrderedRows"
_SOAP: Final = "the vendor refuses the SOAP object model in email; use the REST API before sending"
_DYNAMICS: Final = "Microsoft Dynamics CRM is not available; keep the records in a data extension"
_MOBILE: Final = "it exists in mobile messages only"
_SOCIAL: Final = "the vendor has retired sharing to social networks; take it out"
_CLASSIC: Final = "the vendor has retired Classic content; use ContentBlockByKey or ContentImageByKey"
_EINSTEIN: Final = "recommendations of the vendor are not available; take it out"

_ROWS: Final[tuple[tuple[str, int, int | None, str, Kind, str, str], ...]] = (
    # name, minimum, maximum, parameters, kind, category, why
    (
        "InsertData", 3, None, "dataExtension, column1, value1[, …]", "Number",
        "Data extension", _BATCH.format("InsertDE"),
    ),
    (
        "UpdateData", 6, None, "dataExtension, keys, keyColumn, keyValue, column, value[, …]", "Number",
        "Data extension", _BATCH.format("UpdateDE"),
    ),
    (
        "UpsertData", 6, None, "dataExtension, keys, keyColumn, keyValue, column, value[, …]", "Number",
        "Data extension", _BATCH.format("UpsertDE"),
    ),
    (
        "DeleteData", 3, None, "dataExtension, column1, value1[, …]", "Number",
        "Data extension", _BATCH.format("DeleteDE"),
    ),
    ("ExecuteFilter", 1, 1, "filterKey", "Rowset", "Data extension", _FILTER),
    ("ExecuteFilterOrderedRows", 3, 3, "filterKey, count, order", "Rowset", "Data extension", _FILTER),
    ("IsCHTMLBrowser", 1, 1, "userAgent", "Boolean", "Utility", _PAGE),
    ("Redirect", 1, 1, "url", "None", "Sites", _PAGE),
    ("HTTPRequestHeader", 1, 1, "name", "String", "HTTP", _PAGE),
    ("GetPortfolioItem", 1, 1, "key", "String", "Content", _CLASSIC),
    ("LiveContentMicrositeURL", 2, 2, "type, key", "String", "Content", _CLASSIC),
    (
        "BarcodeURL", 4, 9, "value, type, width, height[, checksum, showText, alt, rotate, transparent]", "String",
        "Content", "there is no barcode server; put the address of one into an attribute",
    ),
    (
        "TransformXML", 2, 2, "xml, xsl", "String", "Content",
        "XSLT is not supported; use BuildRowSetFromXML with an XPath",
    ),
    (
        "RetrieveSalesforceJobSources", 1, 1, "jobId", "Rowset", "Salesforce CRM",
        "the jobs of Salesforce are not known here; take it out",
    ),
    ("CreateObject", 1, 1, "type", "Any", "SOAP API", _SOAP),
    ("SetObjectProperty", 3, 3, "object, property, value", "None", "SOAP API", _SOAP),
    ("AddObjectArrayItem", 3, 3, "object, property, item", "None", "SOAP API", _SOAP),
    ("InvokeCreate", 3, 4, "object, @message, @code[, options]", "String", "SOAP API", _SOAP),
    ("InvokeUpdate", 1, 4, "object[, @message, @code, options]", "String", "SOAP API", _SOAP),
    ("InvokeDelete", 3, 4, "object, @message, @code[, options]", "String", "SOAP API", _SOAP),
    ("InvokeRetrieve", 1, 3, "object[, @message, @request]", "Any", "SOAP API", _SOAP),
    ("InvokePerform", 2, 3, "object, action[, @message]", "String", "SOAP API", _SOAP),
    ("InvokeExecute", 1, 3, "object[, @message, @request]", "Any", "SOAP API", _SOAP),
    ("AddMscrmListMember", 2, 2, "recordGuid, listGuid", "Any", "MS Dynamics", _DYNAMICS),
    ("CreateMscrmRecord", 4, None, "entity, count, attribute, value[, …]", "Any", "MS Dynamics", _DYNAMICS),
    ("DescribeMscrmEntities", 0, 0, "", "Rowset", "MS Dynamics", _DYNAMICS),
    ("DescribeMscrmEntityAttributes", 1, 1, "entity", "Rowset", "MS Dynamics", _DYNAMICS),
    ("RetrieveMscrmRecords", 5, 5, "entity, fields, field, operator, value", "Rowset", "MS Dynamics", _DYNAMICS),
    ("RetrieveMscrmRecordsFetchXML", 1, 1, "xml", "Rowset", "MS Dynamics", _DYNAMICS),
    ("SetStateMscrmRecord", 4, 4, "guid, entity, state, status", "Any", "MS Dynamics", _DYNAMICS),
    ("UpdateMscrmRecords", 4, None, "entity, guids, attribute, value[, …]", "Any", "MS Dynamics", _DYNAMICS),
    ("UpsertMscrmRecord", 9, 9, "nine arguments", "Any", "MS Dynamics", _DYNAMICS),
    ("UpsertContact", 5, None, "channel, attribute, phone, key, value[, …]", "Any", "Mobile", _MOBILE),
    ("CreateSmsConversation", 4, 4, "from, to, nextKeyword, application", "Any", "Mobile", _MOBILE),
    ("EndSmsConversation", 2, 2, "from, to", "Any", "Mobile", _MOBILE),
    ("SetSmsConversationNextKeyword", 3, 3, "from, to, keyword", "Any", "Mobile", _MOBILE),
    ("Msg", 1, 1, "0", "Any", "Mobile", _MOBILE),
    ("Verb", 0, None, "", "Any", "Mobile", _MOBILE),
    ("Noun", 0, None, "", "Any", "Mobile", _MOBILE),
    ("Nouns", 0, None, "", "Any", "Mobile", _MOBILE),
    ("MMS_Content_URL", 1, 1, "n", "String", "Mobile", _MOBILE),
    ("GetSocialPublishURL", 2, None, "code, region[, …]", "String", "Social", _SOCIAL),
    ("GetSocialPublishURLByName", 3, None, "name, country, region[, …]", "String", "Social", _SOCIAL),
    ("GetPublishedSocialContent", 1, 1, "id", "String", "Social", _SOCIAL),
    ("RatingStars", 3, 3, "rating, maximum, imageUrl", "String", "Einstein", _EINSTEIN),
)  # fmt: skip


def refuse(run: Run, *values: object) -> object:
    """Never reached through the compiler, which refuses the call."""
    raise Refused("this function is not available in email")


for _name, _minimum, _maximum, _params, _kind, _category, _why in _ROWS:
    function(
        _name,
        minimum=_minimum,
        maximum=_maximum,
        params=_params,
        doc="Not available in email.",
        kind=_kind,
        category=_category,
        refused=_why,
    )(refuse)
