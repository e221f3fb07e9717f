// FuelSDK for Node: its REST client. What came back is printed as JSON.
const FuelSDK = require('sfmc-fuelsdk-node');

const given = JSON.parse(process.argv[2]);
const client = new FuelSDK(given.client_id, given.client_secret, null, {
    // With OAuth2 the token reply says where the API is.
    origin: given.legacy ? given.url : undefined,
    authOrigin: given.url,
    authOptions: given.legacy ? undefined : { authVersion: 2, accountId: given.account_id },
}).RestClient;
const seen = {};
const keep = (name, reply) => (seen[name] = [reply.res.statusCode, reply.body]);

(async () => {
    keep('asset', await client.post({ uri: '/asset/v1/content/assets', json: true, body: given.asset }));
    keep('definition', await client.post({ uri: '/messaging/v1/email/definitions', json: true, body: given.definition }));
    keep('list', await client.get('/messaging/v1/email/definitions?$page=1&$pageSize=10'));
    keep('send', await client.post({ uri: '/messaging/v1/email/messages', json: true, body: given.send }));
    keep('status', await client.get(`/messaging/v1/email/messages/${given.messageKey}`));
    keep('patch', await client.patch({ uri: '/messaging/v1/email/definitions/order', json: true, body: { description: 'x' } }));
    keep('unknown', await client.get('/messaging/v1/email/definitions/nothing'));
    keep('deleted', await client.delete('/messaging/v1/email/definitions/order'));
    console.log(JSON.stringify(seen));
})().catch((error) => {
    console.error(error);
    process.exit(1);
});
