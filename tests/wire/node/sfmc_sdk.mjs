// sfmc-sdk as its README has it. Its check of the token URL looks for the vendor's host anywhere in it.
import SDK from 'sfmc-sdk';

const given = JSON.parse(process.argv[2]);
const host = `https://${'m'.repeat(28)}.auth.marketingcloudapis.com/`;
const sfmc = new SDK(
    {
        client_id: given.client_id,
        client_secret: given.client_secret,
        auth_url: `${given.url}/${host}`,
        account_id: given.account_id,
    },
    { requestAttempts: 2, retryOnConnectionError: true }
);
const refusal = async (work) => {
    try {
        return await work;
    } catch (error) {
        return { code: error.code, status: error.response?.status, body: error.response?.data };
    }
};

const seen = {};
seen.asset = await sfmc.rest.post('/asset/v1/content/assets', given.asset);
seen.definition = await sfmc.rest.post('/messaging/v1/email/definitions', given.definition);
seen.bulk = await sfmc.rest.getBulk('/messaging/v1/email/definitions/?$filter=status+neq+deleted', 50, 'definitions');
seen.assets = await sfmc.rest.getBulk("/asset/v1/content/assets?$filter=customerKey eq 'order-email'", 50);
seen.send = await sfmc.rest.post('/messaging/v1/email/messages/', given.send);
seen.status = await sfmc.rest.get(`/messaging/v1/email/messages/${given.messageKey}`);
seen.patch = await sfmc.rest.patch('/messaging/v1/email/definitions/order', { description: 'x' });
seen.unknown = await refusal(sfmc.rest.get('/messaging/v1/email/definitions/nothing'));
sfmc.auth.authObject.access_token = 'stale';
seen.refreshed = await refusal(sfmc.rest.get('/platform/v1/tokenContext'));
seen.deleted = await sfmc.rest.delete('/messaging/v1/email/definitions/order');
console.log(JSON.stringify(seen));
