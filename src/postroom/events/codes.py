"""The asynchronous status codes (contract §0.3): why a message that was accepted is not sent."""

from enum import IntEnum


class StatusCode(IntEnum):
    """The codes this server gives; `events.causes` has the sentence of each and when it is given."""

    UNSUBSCRIBED = 1
    HELD = 2
    NO_ALL_SUBSCRIBERS_LIST_ENTRY = 11
    EMAIL_ADDRESS_MISMATCH = 14
    INVALID_ATTRIBUTE_VALUE = 16
    MISSING_REQUIRED_FIELDS = 19
    INVALID_FIELD_VALUE = 20
    DUPLICATE_DATA_EXTENSION_ROW = 21
    DATA_EXTENSION_INSERT_FAILED = 22
    SUPPRESSION_LIST_EXCLUSION = 27
    SUBSCRIBER_QUEUE_CLEARED = 39
    SUBSCRIBER_DELETED = 40
    ERROR = 100
    FAILURE = 101
    EXCLUDED = 102
    MESSAGE_BUILD_ERROR = 103
    RECURSIVE_SCRIPT_ERROR = 104
    INVALID_EMAIL_ADDRESS_ERROR = 110
    SCRIPT_RAISE_ERROR = 111
    EMPTY_HTTP_GET_FUNCTION_RETURN_ERROR = 113
    EMPTY_SUBJECT = 127
    INVALID_CC_EMAIL_ADDRESS_ERROR = 132
    INVALID_BCC_EMAIL_ADDRESS_ERROR = 133
    TIMED_OUT_IN_QUEUE = 139
    V2_TRIGGERED_SEND_DELETED_FROM_QUEUE = 141


NAMES: dict[int, str] = {
    1: "Unsubscribed",
    2: "Held",
    3: "PartnerUnsubscribed",
    4: "MissingEmailAddress",
    5: "InvalidEmailAddress",
    6: "DuplicateEmail",
    7: "InvalidSubscriberIDProvided",
    8: "MissingSubscriberID",
    9: "MissingOwnerID",
    10: "MissingRequiredAttributes",
    11: "NoAllSubscribersListEntry",
    12: "InvalidOwnerIDProvided",
    13: "SubscriberKeyMismatch",
    14: "EmailAddressMismatch",
    15: "UnspecifiedError",
    16: "InvalidAttributeValue",
    17: "AttributeValueMaxLengthErr",
    18: "InvalidAttributeValueCount",
    19: "MissingRequiredFields",
    20: "InvalidFieldValue",
    21: "DuplicateDataExtensionRow",
    22: "DataExtensionInsertFailed",
    23: "DomainExclusion",
    24: "ListDetectiveExclusion",
    25: "SubscriberBlackedOut",
    26: "BuildEmailError",
    27: "SuppressionListExclusion",
    28: "OptOutListExclusion",
    29: "MissingSubscriberKeyValue",
    30: "SubscriberKeyTooLong",
    31: "ListLevelOptOut",
    32: "MissingSendGroupID",
    33: "AccountLevelOptOut",
    34: "MissingMessageFileName",
    35: "InvalidEmailAddressID",
    36: "InvalidBusinessUnit",
    37: "QueuedTransactionDeleted",
    38: "InvalidSalesforceID",
    39: "SubscriberQueueCleared",
    40: "SubscriberDeleted",
    41: "DuplicateSubscriber",
    42: "RestrictedForProcessing",
    43: "SubscriberRequestExpired",
    100: "Error",
    101: "Failure",
    102: "Excluded",
    103: "MessageBuildError",
    104: "RecursiveScriptError",
    105: "InvalidSendTimeDataError",
    106: "MissingSendDataExtensionSourceRowError",
    107: "MissingSubscriberDataError",
    108: "MissingListSubscriberDataError",
    109: "MissingSubscriberKeyError",
    110: "InvalidEmailAddressError",
    111: "ScriptRaiseError",
    112: "EmptyHTTPGetReturnError",
    113: "EmptyHTTPGetFunctionReturnError",
    114: "MissingSFIDError",
    115: "MissingSFDataError",
    116: "MissingSFSubscriberDataError",
    117: "CouldNotResolveSecureEmailToken",
    118: "GlobalUnsub",
    119: "PartnerUnsub",
    120: "ListDetectiveExclusion",
    121: "ProcessedByPairedMember",
    122: "SMTPFileNotFound",
    123: "SMTPFileIOError",
    124: "SMTPFileFormatError",
    125: "DecryptionFailed",
    126: "MessageVolumeLimitExceeded",
    127: "EmptySubject",
    128: "ResolvedEmailBodyTooShort",
    129: "PhoneNumberValidationFailed",
    130: "PayloadExceedsMaximum",
    131: "LinkDataExceedsMaximumSize",
    132: "InvalidCCEmailAddressError",
    133: "InvalidBCCEmailAddressError",
    134: "SubscriberDeleted",
    135: "RestrictedForProcessing",
    136: "SubscriberKeyMismatch",
    137: "SubscriberIDMismatch",
    138: "ExceededExpirationPolicy",
    139: "TimedoutInQueue",
    140: "UnverifiedFromEmailAddress",
    141: "V2TriggeredSendDeletedFromQueue",
    1000: "UnsubscribedList",
    1010: "UnsubscribedMaster",
    1020: "UnsubscribedGlobal",
    1030: "Held",
    1040: "Deleted",
}
"""statusCode to statusMessage, the vendor's whole table."""


def status_message(code: int) -> str:
    """The vendor's name of a code; a number outside the table is an UnspecifiedError to a client."""
    return NAMES.get(code, NAMES[15])
