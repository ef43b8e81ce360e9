// Attaches to a one-off dyno, or to a command in a running one, over WebSocket:
//
//	node attach.mjs "$websocket_url"
//
// It ends with the exit code. It needs Node 22, or Node 20 with
// --experimental-websocket, and nothing else.
const socket = new WebSocket(process.argv[2]);
socket.binaryType = "arraybuffer";

const { stdin, stdout } = process;
const say = (message) => socket.send(JSON.stringify(message));
const resize = () => say({ resize: { columns: stdout.columns, rows: stdout.rows } });

socket.onopen = () => {
  if (stdin.isTTY && stdout.isTTY) {
    stdin.setRawMode(true);
    stdout.on("resize", resize);
    resize();
  }
  stdin.on("data", (piece) => socket.send(piece));
  stdin.on("end", () => say({ eof: true }));
};

process.exitCode = 1; // until we are told
socket.onmessage = ({ data }) => {
  if (typeof data === "string") process.exitCode = JSON.parse(data).exit;
  else stdout.write(new Uint8Array(data));
};
socket.onclose = () => {
  if (stdin.isTTY) stdin.setRawMode(false);
  stdin.destroy();
};
socket.onerror = () => console.error("The connection failed: is the URL used already, or older than a minute?");
