-- wrk: single sends, each with a message key and a person of its own.
-- BENCH_TOKEN, BENCH_RUN (begins every key), BENCH_BODY (the body, with ######## where the number belongs).

local run = os.getenv("BENCH_RUN")
local body = os.getenv("BENCH_BODY")
local head = " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAuthorization: Bearer "
  .. os.getenv("BENCH_TOKEN") .. "\r\nContent-Length: " .. #body .. "\r\n\r\n"
local count = 0

function request()
  count = count + 1
  local number = string.format("%08d", count)
  local own = string.gsub(body, "########", number)
  return "POST /messaging/v1/email/messages/" .. run .. "-" .. number .. head .. own
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"most":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
