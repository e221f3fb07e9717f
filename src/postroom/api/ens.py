"""The Event Notification Service's routes (contract §6), and Postroom's own to send events again.

A callback proves that it belongs to the caller: its URL gets a key by POST, and the caller brings it to /ens-verify.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.api.shape import Route
from postroom.api.shapes import ens as shapes
from postroom.api.wire.ens import (
    Replay,
    ShownSubscription,
    identity,
    read_changed_callback,
    read_changed_subscription,
    read_new_callback,
    read_new_subscription,
    read_regeneration,
    read_replay,
    read_verification,
    shown_callback,
    shown_key,
    shown_subscription,
    unknown,
)
from postroom.events.callbacks import (
    Callback,
    change_callback,
    create_callback,
    find_callback,
    list_callbacks,
    regenerate_key,
    remove_callback,
    replay_callback,
    verify_callback,
)
from postroom.events.poster import Poster
from postroom.events.reach import read_url
from postroom.events.subscriptions import (
    MOST_PER_CALLBACK,
    Subscription,
    SubscriptionTaken,
    change_subscription,
    create_subscription,
    find_subscription,
    remove_subscription,
    subscriptions_of,
)
from postroom.store.database import Pool

PROBE_SECONDS = 30.0

_encode = msgspec.json.Encoder().encode


class EventNotifications:
    """The handlers. ``private`` allows callbacks on plain http, ports and private addresses; ``clock`` as elsewhere."""

    def __init__(
        self,
        pool: Pool,
        *,
        private: bool,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._pool = pool
        self._private = private
        self._clock = clock
        self._random_bytes = random_bytes

    def routes(self) -> list[Route]:
        """Every route with the scopes of contract §1."""
        callbacks, subscriptions = "/platform/v1/ens-callbacks", "/platform/v1/ens-subscriptions"
        on_callback, on_subscription = "event_notification_callback_", "event_notification_subscription_"
        create, read, update, delete = (
            frozenset({on_callback + verb}) for verb in ("create", "read", "update", "delete")
        )
        sub_create, sub_read, sub_update, sub_delete = (
            frozenset({on_subscription + verb}) for verb in ("create", "read", "update", "delete")
        )
        by_callback = "/platform/v1/ens-subscriptions-by-cb/{callbackId}"
        return [
            Route("POST", callbacks, create, self.create_callback, shapes.CREATE_CALLBACK),
            Route("GET", callbacks, read, self.callbacks, shapes.CALLBACKS),
            Route("PUT", callbacks, update, self.change_callback, shapes.CHANGE_CALLBACK),
            Route("GET", callbacks + "/{callbackId}", read, self.callback, shapes.CALLBACK),
            Route("DELETE", callbacks + "/{callbackId}", delete, self.remove_callback, shapes.REMOVE_CALLBACK),
            Route("POST", "/platform/v1/ens-verify", update, self.verify, shapes.VERIFY),
            Route("PUT", "/platform/v1/ens-regenerate", update, self.regenerate, shapes.REGENERATE),
            Route("POST", subscriptions, sub_create, self.create_subscription, shapes.CREATE_SUBSCRIPTION),
            Route("PUT", subscriptions, sub_update, self.change_subscription, shapes.CHANGE_SUBSCRIPTION),
            Route("GET", subscriptions + "/{subscriptionId}", sub_read, self.subscription, shapes.SUBSCRIPTION),
            Route(
                "DELETE",
                subscriptions + "/{subscriptionId}",
                sub_delete,
                self.remove_subscription,
                shapes.REMOVE_SUBSCRIPTION,
            ),
            Route("GET", by_callback, sub_read, self.subscriptions, shapes.SUBSCRIPTIONS),
            Route("POST", "/postroom/v1/ens-callbacks/{callbackId}/replay", update, self.replay, shapes.REPLAY),
        ]

    # -- callbacks

    async def create_callback(self, call: Call) -> Reply:
        """POST /ens-callbacks: stored first, since the key may come back before the probe is answered."""
        body = read_new_callback(await call.json_body(), private=self._private)
        verification_key = self._random_bytes(24).hex()
        callback = await create_callback(
            self._pool,
            call.account_id,
            callback_id=uuid7(),
            name=body.name,
            url=body.url,
            max_batch_size=body.max_batch_size,
            verification_key=verification_key,
            random_bytes=self._random_bytes,
        )
        if callback is None:
            return Reply(b"", 304)
        await self._probe(callback, verification_key)
        return Reply(_encode([shown_key(callback, new=True)]), 201)

    async def _probe(self, callback: Callback, verification_key: str) -> None:
        poster = Poster(private=self._private)
        try:
            posted = await poster.post(
                read_url(callback.url, private=self._private),
                _encode({"callbackId": str(callback.callback_id), "verificationKey": verification_key}),
                [],
                seconds=PROBE_SECONDS,
            )
        finally:
            poster.close()
        if posted.status != 200:
            why = posted.problem or f"it answered {posted.status}"
            raise ApiError(
                Code.PROBE_FAILED,
                f"CallbackId is {callback.callback_id}. Could not verify callback url {callback.url}: {why}; "
                "the answer must be 200. Delete the callback before you create it again.",
            )

    async def callbacks(self, call: Call) -> Reply:
        """GET /ens-callbacks."""
        return Reply(_encode([shown_callback(each) for each in await list_callbacks(self._pool, call.account_id)]))

    async def callback(self, call: Call) -> Reply:
        """GET /ens-callbacks/{callbackId}."""
        callback_id = identity("callbackId", call.key("callbackId"))
        return Reply(_encode(shown_callback(await self._callback(call.account_id, callback_id))))

    async def change_callback(self, call: Call) -> Reply:
        """PUT /ens-callbacks."""
        body = read_changed_callback(await call.json_body())
        callback = await change_callback(
            self._pool, call.account_id, body.callback_id, name=body.name, max_batch_size=body.max_batch_size
        )
        if callback is None:
            raise unknown("callbackId", body.callback_id)
        return Reply(_encode([shown_callback(callback)]))

    async def remove_callback(self, call: Call) -> Reply:
        """DELETE /ens-callbacks/{callbackId}."""
        callback_id = identity("callbackId", call.key("callbackId"))
        removal = await remove_callback(self._pool, call.account_id, callback_id)
        if removal == "unknown":
            raise unknown("callbackId", callback_id)
        if removal == "in use":
            raise ApiError(
                Code.STATE_TRANSITION, f"callback {callback_id} still has subscriptions; delete those before it"
            )
        return Reply(b"{}")

    async def verify(self, call: Call) -> Reply:
        """POST /ens-verify."""
        callback_id, key = read_verification(await call.json_body())
        if not await verify_callback(self._pool, call.account_id, callback_id, key):
            raise ApiError(
                Code.NOT_FOUND,
                f"there is no callback {callback_id} with this verificationKey; "
                "a key is good for one use within 4 hours",
            )
        return Reply(_encode(shown_callback(await self._callback(call.account_id, callback_id))))

    async def regenerate(self, call: Call) -> Reply:
        """PUT /ens-regenerate: the old key is dead from the next request on."""
        callback_id = read_regeneration(await call.json_body())
        callback = await regenerate_key(self._pool, call.account_id, callback_id, random_bytes=self._random_bytes)
        if callback is None:
            raise unknown("callbackId", callback_id)
        return Reply(_encode([shown_key(callback, new=False)]))

    async def replay(self, call: Call) -> Reply:
        """POST /postroom/v1/ens-callbacks/{callbackId}/replay: everything since a moment is sent again."""
        callback_id = identity("callbackId", call.key("callbackId"))
        since = read_replay(await call.json_body(), now=datetime.fromtimestamp(self._clock(), UTC))
        if not await replay_callback(self._pool, call.account_id, callback_id, since):
            raise unknown("callbackId", callback_id)
        return Reply(_encode(Replay(str(callback_id), since.isoformat())), 202)

    # -- subscriptions

    async def create_subscription(self, call: Call) -> Reply:
        """POST /ens-subscriptions: only on a verified callback."""
        body = read_new_subscription(await call.json_body())
        callback = await self._callback(call.account_id, body.callback_id)
        if not callback.verified:
            raise ApiError(
                Code.INVALID_OPERATION,
                f"callback {callback.callback_id} is not verified; "
                "bring its verificationKey to /platform/v1/ens-verify",
            )
        try:
            subscription = await create_subscription(
                self._pool,
                call.account_id,
                subscription_id=uuid7(),
                callback_id=callback.callback_id,
                name=body.name,
                event_types=body.event_types,
                filters=body.filters,
            )
        except SubscriptionTaken:
            return Reply(b"", 304)
        if subscription is None:
            raise ApiError(
                Code.INVALID_OPERATION,
                f"callback {callback.callback_id} has {MOST_PER_CALLBACK} subscriptions, which is all it can have",
            )
        return Reply(_encode([shown_subscription(subscription, callback, more=False)]), 201)

    async def change_subscription(self, call: Call) -> Reply:
        """PUT /ens-subscriptions: also pauses and resumes."""
        body = read_changed_subscription(await call.json_body())
        try:
            subscription = await change_subscription(
                self._pool,
                call.account_id,
                body.subscription_id,
                event_types=body.event_types,
                filters=body.filters,
                name=body.name,
                status=body.status,
                status_reason=body.status_reason,
            )
        except SubscriptionTaken:
            raise ApiError(Code.ALREADY_EXISTS, f"there is already a subscription named {body.name!r}") from None
        if subscription is None:
            raise unknown("subscriptionId", body.subscription_id)
        return Reply(_encode([await self._shown(call.account_id, subscription)]))

    async def subscription(self, call: Call) -> Reply:
        """GET /ens-subscriptions/{subscriptionId}."""
        subscription_id = identity("subscriptionId", call.key("subscriptionId"))
        subscription = await find_subscription(self._pool, call.account_id, subscription_id)
        if subscription is None:
            raise unknown("subscriptionId", subscription_id)
        return Reply(_encode(await self._shown(call.account_id, subscription)))

    async def subscriptions(self, call: Call) -> Reply:
        """GET /ens-subscriptions-by-cb/{callbackId}."""
        callback = await self._callback(call.account_id, identity("callbackId", call.key("callbackId")))
        found = await subscriptions_of(self._pool, call.account_id, callback.callback_id)
        return Reply(_encode([shown_subscription(each, callback, more=True) for each in found]))

    async def remove_subscription(self, call: Call) -> Reply:
        """DELETE /ens-subscriptions/{subscriptionId}."""
        subscription_id = identity("subscriptionId", call.key("subscriptionId"))
        if not await remove_subscription(self._pool, call.account_id, subscription_id):
            raise unknown("subscriptionId", subscription_id)
        return Reply(b"{}")

    async def _callback(self, account_id: int, callback_id: UUID) -> Callback:
        callback = await find_callback(self._pool, account_id, callback_id)
        if callback is None:
            raise unknown("callbackId", callback_id)
        return callback

    async def _shown(self, account_id: int, subscription: Subscription) -> ShownSubscription:
        callback = await self._callback(account_id, subscription.callback_id)
        return shown_subscription(subscription, callback, more=True)
