package attach_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"renga"
	"renga/attach"
)

const (
	serviceHost = "db.internal"
	servicePort = "5432"
)

// echoService is one that gives back what it is told, behind the port that echoes.
func echoService(port, scheme string, still attach.StillAllowed) attach.Service {
	return attach.Service{
		Dial: func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+port)
		},
		Host: serviceHost, Port: 5432, Scheme: scheme, User: "u1", App: "hello", AddOn: "db", Still: still,
	}
}

// keysTo gives keys to a service, and the one for SSH as a client has it.
func (d *fixture) keysTo(t *testing.T, holder string, s attach.Service) (attach.ServiceKeys, ssh.Signer) {
	t.Helper()
	keys, err := d.OpenService(holder, s)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey([]byte(keys.Private))
	if err != nil {
		t.Fatal(err)
	}
	return keys, signer
}

// bastion is a client that has come in.
func (d *fixture) bastion(t *testing.T, key ssh.Signer) *ssh.Client {
	t.Helper()
	client, err := d.dialAt(t, d.Bastion, "bastion", key)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// socketTo is a WebSocket to a service.
func (d *fixture) socketTo(t *testing.T, secret string) (attach.Socket, error) {
	t.Helper()
	return attach.DialService(t.Context(), d.http, "wss"+strings.TrimPrefix(d.web, "https")+"/attach/"+secret)
}

// exchange says something to what echoes, ends, and gives what came back.
func exchange(t *testing.T, conn attach.Socket, text string) string {
	t.Helper()
	go func() {
		_, _ = io.WriteString(conn, text) // what is missing is missed below
		_ = conn.CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestClientsReachAServiceBothWays(t *testing.T) {
	d, much := newFixture(t, attach.Options{}), string(noise(1<<20))
	keys, key := d.keysTo(t, "ada", echoService(echoing(t), "amqp", nil))
	for _, text := range []string{"hello", much} {
		socket, err := d.socketTo(t, keys.Secret)
		if err != nil {
			t.Fatal(err)
		}
		tunnel, err := d.bastion(t, key).Dial("tcp", serviceHost+":"+servicePort)
		if err != nil {
			t.Fatal(err)
		}
		for way, conn := range map[string]attach.Socket{"WebSocket": socket, "SSH": tunnel.(attach.Socket)} {
			if got := exchange(t, conn, text); got != text {
				t.Errorf("over %s, of %d bytes %d came back", way, len(text), len(got))
			}
		}
	}
	again, _ := d.keysTo(t, "ada", echoService(echoing(t), "amqp", nil))
	other, _ := d.keysTo(t, "bob", echoService(echoing(t), "amqp", nil))
	if again != keys || other == keys {
		t.Error("keys are not their holder's")
	}
}

func TestTheBastionLeadsNowhereElse(t *testing.T) {
	d := newFixture(t, attach.Options{})
	own := echoing(t)
	_, key := d.keysTo(t, "ada", echoService(own, "amqp", nil))
	client := d.bastion(t, key)
	for _, to := range []string{
		"127.0.0.1:" + own, "localhost:" + own, "127.0.0.1:6379", "169.254.169.254:80", "172.17.0.1:5000", "[::1]:22",
		serviceHost + ":6379", "other.internal:5432", serviceHost + ".:5432", " " + serviceHost + ":5432",
	} {
		if conn, err := client.Dial("tcp", to); err == nil || !strings.Contains(err.Error(), "only tunnels to "+serviceHost) {
			t.Errorf("to %s: %v, %v", to, conn, err)
		}
	}
	if _, err := client.NewSession(); err == nil {
		t.Error("there is a session")
	}
	if _, err := client.Listen("tcp", "127.0.0.1:0"); err == nil {
		t.Error("it listens for the client")
	}
	if _, err := client.ListenUnix("/tmp/renga-test.sock"); err == nil {
		t.Error("it listens for the client at a socket")
	}
	for _, kind := range []string{"x11", "forwarded-tcpip", "direct-streamlocal@openssh.com", "auth-agent@openssh.com", "tun@openssh.com"} {
		if _, _, err := client.OpenChannel(kind, nil); err == nil {
			t.Errorf("a channel %s was opened", kind)
		}
	}
	if _, _, err := client.OpenChannel("direct-tcpip", []byte("garbage")); err == nil {
		t.Error("garbage opened a channel")
	}
}

func TestOnlyTheHoldersKeysOpenAService(t *testing.T) {
	d := newFixture(t, attach.Options{})
	keys, key := d.keysTo(t, "ada", echoService(echoing(t), "amqp", nil))
	user, ticket := d.admit(t, &fakeRunningDyno{session: newDyno()})
	stranger, _ := keyPair(t)
	for name, try := range map[string]struct {
		user  string
		key   ssh.Signer
		serve func(net.Conn)
	}{
		"a key of nobody":               {"bastion", stranger, d.Bastion},
		"a key of nobody, on the front": {"bastion", stranger, d.SSH},
		"a dyno's key":                  {"bastion", ticket, d.SSH},
		"a dyno's client":               {user, ticket, d.Bastion},
		"as root":                       {"root", key, d.Bastion},
		"as the secret":                 {keys.Secret, key, d.SSH},
	} {
		if _, err := d.dialAt(t, try.serve, try.user, try.key); err == nil {
			t.Errorf("%s came in", name)
		}
	}
	for _, secret := range []string{
		"", "nobody", strings.ToUpper(keys.Secret), string(key.PublicKey().Marshal()), "key " + string(key.PublicKey().Marshal()),
	} {
		if conn, err := d.socketTo(t, "?"+secret); err == nil {
			t.Errorf("%q opened %v", secret, conn)
		}
	}
	if _, err := d.socketTo(t, strings.Repeat("0", 64)); renga.KindOf(err) != renga.NotFound && err == nil {
		t.Errorf("a made-up secret: %v", err)
	}
}

func TestConnectionsToAServiceEndWithTheRight(t *testing.T) {
	d, r := newFixture(t, often), &fakePermission{}
	keys, key := d.keysTo(t, "ada", echoService(echoing(t), "amqp", r.still))
	socket, err := d.socketTo(t, keys.Secret)
	if err != nil {
		t.Fatal(err)
	}
	tunnel, err := d.bastion(t, key).Dial("tcp", serviceHost+":"+servicePort)
	if err != nil {
		t.Fatal(err)
	}
	for _, conn := range []io.ReadWriter{socket, tunnel} {
		if _, err := io.WriteString(conn, "hello"); err != nil {
			t.Fatal(err)
		}
		read(t, conn, "hello")
	}
	r.take(errors.New("Redis is away")) // which takes no permission
	r.waitAsked(t, 5)
	if _, err := io.WriteString(socket, "still"); err != nil {
		t.Fatal(err)
	}
	read(t, socket, "still")
	r.take(errTaken)
	for way, conn := range map[string]io.Reader{"WebSocket": socket, "SSH": tunnel} {
		if _, err := io.ReadAll(conn); err == nil && way == "WebSocket" {
			t.Error("the WebSocket ended as if all were said")
		}
	}
	if _, err := d.socketTo(t, keys.Secret); renga.KindOf(err) != renga.NotFound || !strings.Contains(err.Error(), "access") {
		t.Errorf("the secret is good still: %v", err)
	}
	client := d.bastion(t, key) // nobody learns from the handshake whether there is an add-on
	if _, err := client.Dial("tcp", serviceHost+":"+servicePort); err == nil {
		t.Error("the key is good still")
	}
}

func TestASilentConnectionToAServiceIsClosedAndItsKeysEnd(t *testing.T) {
	d := newFixture(t, attach.Options{Idle: 200 * time.Millisecond})
	keys, key := d.keysTo(t, "ada", echoService(echoing(t), "amqp", nil))
	socket, err := d.socketTo(t, keys.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := socket.Read(make([]byte, 1)); err == nil {
		t.Error("somebody spoke")
	}
	for { // each try keeps them for that long again
		<-time.After(500 * time.Millisecond)
		again, err := d.dialAt(t, d.Bastion, "bastion", key)
		if err != nil {
			break
		}
		_ = again.Close()
	}
	if _, err := d.socketTo(t, keys.Secret); err == nil {
		t.Error("the secret is good still")
	}
}

func TestWhatIsOpenToAServiceIsBounded(t *testing.T) {
	d := newFixture(t, attach.Options{})
	keys, key := d.keysTo(t, "ada", echoService(echoing(t), "amqp", nil))
	others, _ := d.keysTo(t, "bob", echoService(echoing(t), "amqp", nil))
	client, open := d.bastion(t, key), 1
	var last net.Conn
	for {
		conn, err := client.Dial("tcp", serviceHost+":"+servicePort)
		if err != nil {
			break
		}
		last = conn
		if open++; open > 64 {
			t.Fatal("there is no bound")
		}
	}
	if _, err := d.socketTo(t, keys.Secret); err == nil || !strings.Contains(err.Error(), "64 connections to db") {
		t.Errorf("the other way is open still: %v", err)
	}
	if socket, err := d.socketTo(t, others.Secret); err != nil || exchange(t, socket, "hello") != "hello" {
		t.Errorf("who holds other keys is shut out: %v", err)
	}
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
	for { // the place is free once the server has seen it
		if socket, err := d.socketTo(t, keys.Secret); err == nil && exchange(t, socket, "hello") == "hello" {
			return
		}
	}
}

func TestTheClientOfPostgreSQLGetsTLS(t *testing.T) {
	d := newFixture(t, attach.Options{})
	_, key := d.keysTo(t, "ada", echoService(echoing(t), "postgres", nil))
	client := d.bastion(t, key)
	tunnel := func() net.Conn {
		conn, err := client.Dial("tcp", serviceHost+":"+servicePort)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	ask := func(code uint32) string {
		return string(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), code))
	}
	plain := tunnel()
	if got := exchange(t, plain.(attach.Socket), "\x00\x00\x00\x10\x00\x03\x00\x00user"); got != "\x00\x00\x00\x10\x00\x03\x00\x00user" {
		t.Errorf("who asks for nothing hears %q", got)
	}
	conn := tunnel()
	for _, said := range []struct{ ask, answer string }{{ask(80877104), "N"}, {ask(80877103), "S"}} {
		if _, err := io.WriteString(conn, said.ask); err != nil {
			t.Fatal(err)
		}
		read(t, conn, said.answer)
	}
	secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // as psql does
	if got := exchange(t, secured, "hello"); got != "hello" {
		t.Errorf("over TLS came %q", got)
	}
	endless := tunnel()
	_, _ = io.WriteString(endless, strings.Repeat(ask(80877104), 3)) // it may be closed already
	if said, _ := io.ReadAll(endless); !bytes.Equal(said, []byte("NN")) {
		t.Errorf("who asks without end hears %q", said)
	}
}

func TestTheClientOfRedisNeedNotKnowItsUser(t *testing.T) {
	d := newFixture(t, attach.Options{})
	_, key := d.keysTo(t, "ada", echoService(echoing(t), "redis", nil))
	client := d.bastion(t, key)
	long := "AUTH " + strings.Repeat("x", 5000) + "\r\n"
	for said, heard := range map[string]string{
		"AUTH pass\nGET a\n":          "AUTH u1 pass\r\nGET a\n",
		"auth pass\r\n":               "AUTH u1 pass\r\n",
		"AUTH other pass\r\nPING\r\n": "AUTH other pass\r\nPING\r\n",
		"PING\r\nAUTH pass\r\n":       "PING\r\nAUTH pass\r\n",
		"*1\r\n$4\r\nPING\r\n":        "*1\r\n$4\r\nPING\r\n",
		"":                            "",
		long:                          long,
	} {
		conn, err := client.Dial("tcp", serviceHost+":"+servicePort)
		if err != nil {
			t.Fatal(err)
		}
		if got := exchange(t, conn.(attach.Socket), said); got != heard {
			t.Errorf("of %q the service hears %q", renga.Clip(said, 40), renga.Clip(got, 40))
		}
	}
}
