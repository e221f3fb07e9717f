// fuel-rest as its README has it: credentials in, calls out. What came back is printed as JSON.
const FuelRest = require('fuel-rest');

const given = JSON.parse(process.argv[2]);
const client = new FuelRest({
    auth: {
        clientId: given.client_id,
        clientSecret: given.client_secret,
        authUrl: given.legacy ? `${given.url}/v1/requestToken` : `${given.url}/v2/token`,
        authOptions: given.legacy ? undefined : { authVersion: 2, accountId: given.account_id },
    },
    // With OAuth2 the token reply says where the API is; the path behind `.com/` is what it takes from here.
    restEndpoint: given.legacy ? given.url : undefined,
});
const seen = {};
const keep = (name, reply) => (seen[name] = [reply.res.statusCode, reply.body]);

(async () => {
    keep('asset', await client.post({ uri: '/asset/v1/content/assets', json: true, body: given.asset }));
    keep('definition', await client.post({ uri: '/messaging/v1/email/definitions/', json: true, body: given.definition }));
    keep('list', await client.get({ uri: '/messaging/v1/email/definitions?$filter=status%20neq%20deleted&$pageSize=10' }));
    keep('send', await client.post({ uri: '/messaging/v1/email/messages/', json: true, body: given.send }));
    keep('status', await client.get({ uri: `/messaging/v1/email/messages/${given.messageKey}` }));
    keep('patch', await client.patch({ uri: '/messaging/v1/email/definitions/Order', json: true, body: { description: 'x' } }));
    keep('unknown', await client.get({ uri: '/messaging/v1/email/definitions/nothing' }));
    client.AuthClient.accessToken = 'stale';
    keep('refreshed', await client.get({ uri: '/platform/v1/tokenContext', retry: true }));
    keep('deleted', await client.delete({ uri: '/messaging/v1/email/definitions/order' }));
    console.log(JSON.stringify(seen));
})().catch((error) => {
    console.error(error);
    process.exit(1);
});
