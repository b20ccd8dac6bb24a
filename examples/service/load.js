// Puts load on the service and prints its latency: node load.js URL [requests a second] [seconds]
//
// Without a rate it sends as fast as it is answered. Take 70 % of what that reaches for the second run.
import autocannon from 'autocannon'

const [url = 'http://127.0.0.1:8080', rate, seconds = '10'] = process.argv.slice(2)
const { latency, requests, errors, timeouts, non2xx } = await autocannon({
  url: `${url}/embed`,
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'application/octet-stream' },
  body: JSON.stringify({ text: 'Call me Ishmael. Some years ago, never mind how long precisely' }),
  connections: 16,
  duration: Number(seconds),
  ...(rate === undefined ? {} : { overallRate: Number(rate) }),
})
const { p50, p90, p99, max } = latency
const report = { requestsPerSecond: requests.average, p50, p90, p99, max, errors, timeouts, non2xx }
console.log(JSON.stringify(report))
