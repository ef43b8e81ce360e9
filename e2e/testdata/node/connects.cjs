// Loaded into every Node process by NODE_OPTIONS. It writes each host that is
// looked up or connected to, one a line, to the file in CONNECTS, and breaks off
// what does not lead to a loopback address or a host below CONNECTS_DOMAIN, with an
// error after which the CLI does not try again.
'use strict'

const dns = require('node:dns')
const fs = require('node:fs')
const net = require('node:net')

const ours = host =>
  host === 'localhost' || /^127\./.test(host) || host === '::1' ||
  host === process.env.CONNECTS_DOMAIN || host.endsWith('.' + process.env.CONNECTS_DOMAIN)

function note(host) {
  fs.appendFileSync(process.env.CONNECTS, host + '\n')
  if (ours(host)) return null
  return Object.assign(new Error('not a host of the test: ' + host), {code: 'ENETUNREACH'})
}

for (const [where, how] of [[dns, 'callback'], [dns.promises, 'promise']]) {
  const lookup = where.lookup
  where.lookup = function (host, ...rest) {
    const refused = note(String(host))
    if (!refused) return lookup.call(this, host, ...rest)
    if (how === 'promise') return Promise.reject(refused)
    process.nextTick(rest.at(-1), refused)
  }
}

const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...args) {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0]
  const options = typeof first === 'object' && first !== null ? first : {port: args[0], host: args[1]}
  if (!options.path) {
    const refused = note(String(options.host ?? 'localhost'))
    if (refused) {
      process.nextTick(() => this.destroy(refused))
      return this
    }
  }
  return connect.apply(this, args)
}
