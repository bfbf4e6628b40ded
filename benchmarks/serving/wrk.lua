-- What wrk runs. Options come from the environment; the result goes, as JSON, to the file that WRK_REPORT names.
-- WRK_DELAY_LOW, WRK_DELAY_HIGH: milliseconds a connection waits before each request, drawn evenly.
-- WRK_PREFIX, WRK_COUNT: ask once for each of that many symbols that begin so, all different, and stop.

local low, high = tonumber(os.getenv("WRK_DELAY_LOW")), tonumber(os.getenv("WRK_DELAY_HIGH"))
if low then
  function delay()
    return math.random(low, high)
  end
end

local prefix, count = os.getenv("WRK_PREFIX"), tonumber(os.getenv("WRK_COUNT"))
if prefix then
  local ffi = require("ffi")
  ffi.cdef("int getpid(void); int kill(int pid, int signal);")
  local asked, answered = 0, 0
  not_found = 0 -- global: done() reads it
  function request()
    asked = math.min(asked + 1, count)
    return wrk.format("GET", string.format("/symbol/%s%06d", prefix, asked))
  end
  function response(status)
    answered = answered + 1
    if status == 404 then
      not_found = not_found + 1
    end
    if answered >= count then
      wrk.thread:stop()
      ffi.C.kill(ffi.C.getpid(), 2) -- or wrk would sleep until its time is over
    end
  end
end

local threads = {}
function setup(thread)
  table.insert(threads, thread)
end

function done(summary, latency)
  local found = 0
  for _, thread in ipairs(threads) do
    found = found + (thread:get("not_found") or 0)
  end
  local errors = summary.errors
  local file = assert(io.open(os.getenv("WRK_REPORT"), "w"))
  file:write(string.format(
    '{"requests": %d, "microseconds": %d, "bytes": %d, "not_found": %d, "errors": {"connect": %d, "read": %d, '
      .. '"write": %d, "timeout": %d, "status": %d}, "latency_us": {"p50": %d, "p90": %d, "p99": %d, "p999": %d, '
      .. '"max": %d, "mean": %.1f}}',
    summary.requests, summary.duration, summary.bytes, found, errors.connect, errors.read, errors.write,
    errors.timeout, errors.status, latency:percentile(50), latency:percentile(90), latency:percentile(99),
    latency:percentile(99.9), latency.max, latency.mean
  ))
  file:close()
end
