// Runs commands of the official CLI, one after the other, in a process that has
// loaded it once. The first argument is the folder of the CLI's package. On
// descriptor 3 come questions, on 4 go answers, each a line of JSON:
//
//	{"dir": "/where", "argv": ["ps", "-a", "hello"], "timeout": 180000}
//	{"status": 0, "out": "…", "over": false, "fault": ""}
//
// Out has both outputs in their order, timeout is in milliseconds. A fault is why
// there is no outcome. After an answer
// that says over the process is not to be asked again. Standard input is empty, as
// for a command of its own.
import {createReadStream, writeSync} from 'node:fs'
import {createRequire} from 'node:module'
import http from 'node:http'
import https from 'node:https'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {pathToFileURL} from 'node:url'
import {inspect} from 'node:util'

const root = process.argv[2]
const require = createRequire(join(root, 'package.json'))

// As bin/run.js of the CLI has it.
process.env.HEROKU_UPDATE_INSTRUCTIONS ||= 'update with: "npm update -g heroku"'

let running // the command: what it wrote, and how it ends
let stray = '' // what was written when no command ran

class Exited extends Error {}

for (const stream of [process.stdout, process.stderr]) {
  stream.write = (chunk, ...rest) => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
    if (!running) stray += text
    else if (!running.ended) running.out += text
    const written = rest.at(-1)
    if (typeof written === 'function') process.nextTick(written)
    return true
  }
}

// Loaded only now, for its spinner keeps how to write from then.
const {execute, settings} = await import(pathToFileURL(require.resolve('@oclif/core')))

// What the CLI remembers in modules: the ids of its requests, which go with the
// next ones, and add-ons that it has found.
const inside = path => import(pathToFileURL(path))
const {RequestId} = await inside(join(root, '..', '@heroku-cli', 'command', 'lib', 'request-id.js'))
const {resolveAddon} = await inside(join(root, 'dist', 'lib', 'addons', 'resolve.js'))

// Before what is listened to is written down: what comes later goes with a command.
for (const fault of ['uncaughtException', 'unhandledRejection']) {
  process.on(fault, error => {
    if (error instanceof Exited) return
    if (!running) {
      stray += inspect(error)
      return
    }
    if (!running.ended) running.out += inspect(error) + '\n'
    running.broken = true
    running.end(1)
  })
}

const startedIn = process.cwd()
const listened = listeners()
const environment = JSON.stringify(process.env)
const set = {...settings}
const exit = process.exit
const idle = awake()
idle.set('FSReqCallback', 1) // the next question is always being read

// A process that exits writes no more; what goes on after the throw is not heard.
process.exit = code => {
  running?.end(code ?? process.exitCode ?? 0)
  throw new Exited()
}

function listeners() {
  const all = new Map()
  for (const emitter of [process, process.stdin, process.stdout, process.stderr]) {
    for (const name of emitter.eventNames()) all.set(emitter, (all.get(emitter) ?? new Map()).set(name, emitter.rawListeners(name)))
  }
  return all
}

// awake counts, by kind, what keeps a process from ending by itself.
function awake() {
  const all = new Map()
  for (const kind of process.getActiveResourcesInfo()) all.set(kind, (all.get(kind) ?? 0) + 1)
  return all
}

// busy tells whether a process of the command's own would go on now.
const busy = () => [...awake()].some(([kind, count]) => count > (idle.get(kind) ?? 0))

const moment = () => new Promise(resolve => setTimeout(resolve, 1))

// forget undoes what a command leaves in a process, and tells whether that is all
// there is.
function forget() {
  RequestId.empty()
  resolveAddon.cache.clear()
  process.exitCode = undefined
  process.argv.length = 2
  process.chdir(startedIn)
  delete globalThis.ux // oclif's spinner and its task
  for (const {globalAgent} of [http, https]) globalAgent.destroy()
  const pool = globalThis[Symbol.for('undici.globalDispatcher.1')]
  if (pool) {
    globalThis[Symbol.for('undici.globalDispatcher.1')] = new pool.constructor()
    pool.destroy().catch(() => {})
  }
  for (const [emitter, names] of listeners()) {
    for (const [name, now] of names) {
      const before = listened.get(emitter)?.get(name) ?? []
      for (const l of now) if (!before.includes(l)) emitter.removeListener(name, l)
    }
  }
  for (const key of Object.keys(settings)) delete settings[key]
  Object.assign(settings, set)
  return JSON.stringify(process.env) === environment
}

async function ask({dir, argv, timeout}) {
  process.chdir(dir)
  process.argv = [process.argv[0], join(root, 'bin', 'run.js'), ...argv]
  const ended = new Promise(resolve => {
    running = {out: '', ended: false, broken: false, end(status) {
      if (this.ended) return
      this.ended = true
      resolve(status)
    }}
  })
  const hung = setTimeout(command => {
    command.fault = `it has not ended after ${timeout} ms`
    command.broken = true
    command.end(124)
  }, timeout, running).unref()
  finish(running, argv)
  const status = await ended
  clearTimeout(hung)
  const {out, broken, fault} = running
  running = undefined
  await moment() // what an exit would have cut off
  const clean = forget() && !busy()
  if (stray) return {status: 1, out, over: true, fault: 'written when no command ran: ' + stray}
  return {status: Number(status), out, over: broken || !clean, fault}
}

// finish runs a command. One that returns ends only when nothing is left to do.
async function finish(command, argv) {
  try {
    await execute({args: argv, dir: root})
  } catch {
    return // it has exited
  }
  do await moment()
  while (busy())
  command.end(process.exitCode ?? 0)
}

for await (const line of createInterface({input: createReadStream(null, {fd: 3})})) {
  writeSync(4, JSON.stringify(await ask(JSON.parse(line))) + '\n')
}
exit(0)
