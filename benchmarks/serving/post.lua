-- Sends the bodies of a file in turn, one on each line; arguments: content type, file.
-- Ends with one line of figures in JSON; latencies are in microseconds.
local requests = {}
local position = 0

function init(arguments)
  local headers = { ["Content-Type"] = arguments[1] }
  for body in io.lines(arguments[2]) do
    requests[#requests + 1] = wrk.format("POST", nil, headers, body)
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'figures {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "longest": %d, ' ..
    '"refused": %d, "broken": %d, "timed_out": %d}\n',
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
