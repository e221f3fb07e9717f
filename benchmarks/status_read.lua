-- wrk: statuses of stored messages, keys at random.
-- BENCH_TOKEN, BENCH_RUNS (the runs that stored messages, numbered from 0), BENCH_COUNT (messages of each run).

local runs, count = tonumber(os.getenv("BENCH_RUNS")), tonumber(os.getenv("BENCH_COUNT"))
local head = " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " .. os.getenv("BENCH_TOKEN") .. "\r\n\r\n"

function init()
  math.randomseed(1)
end

function request()
  local key = string.format("stored%d-%d", math.random(0, runs - 1), math.random(0, count - 1))
  return "GET /messaging/v1/email/messages/" .. key .. head
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"most":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
