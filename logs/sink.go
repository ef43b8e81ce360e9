package logs

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"renga"
)

// maxAnswer is how much of a receiver's answer is read: of its headers, of its
// body, and of what a syslog receiver sends, which should be nothing.
const maxAnswer = 64 << 10

// newSink makes what a drain's URL asks for.
func (d *Drainer) newSink(one renga.Drain) (sink, error) {
	u, err := url.Parse(one.URL)
	if err != nil {
		return nil, ownerError("its URL is none") // url.Parse's own error repeats it
	}
	switch u.Scheme {
	case renga.DrainHTTP, renga.DrainHTTPS:
		return newHTTPSink(d, one, u), nil
	case renga.DrainTCP, renga.DrainTLS:
		return &streamSink{d: d, token: one.Token, host: u.Host, tls: u.Scheme == renga.DrainTLS}, nil
	case renga.DrainUDP:
		return &packetSink{d: d, token: one.Token, host: u.Host}, nil
	}
	return nil, ownerError("there are no drains of the kind " + u.Scheme)
}

// appendMessage appends a line as a message of syslog (RFC 5424) from a host.
// Rest is what comes between the dyno and the text.
func appendMessage(b []byte, host, rest string, l renga.LogLine) []byte {
	b = append(append(b, '<'), priority(l)...)
	b = l.Time.UTC().AppendFormat(append(b, ">1 "...), "2006-01-02T15:04:05.000000-07:00")
	b = append(append(append(b, ' '), host...), ' ')
	b = append(append(append(b, l.Source...), ' '), l.Dyno...)
	return append(append(b, rest...), l.Text...)
}

// priority is facility and severity, as Heroku has them.
func priority(l renga.LogLine) string {
	switch {
	case l.Dyno == "router":
		return "158" // local3, info
	case l.Source == renga.SourceHeroku || l.Dyno == "api":
		return "45" // syslog, notice
	}
	return "190" // local7, info
}

// appendFrame appends a message with its length before it (RFC 6587).
func appendFrame(b, message []byte) []byte {
	return append(append(strconv.AppendInt(b, int64(len(message)), 10), ' '), message...)
}

// syslogRest is an absent message id and absent structured data.
const syslogRest = " - - "

// streamSink is syslog over TCP or TLS. It keeps its connection.
type streamSink struct {
	d           *Drainer
	token, host string
	tls         bool
	conn        net.Conn
	gone        chan struct{} // closed when the receiver has hung up
}

func (s *streamSink) send(ctx context.Context, _ string, lines []renga.LogLine) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	var b, message []byte
	for _, line := range lines {
		message = appendMessage(message[:0], s.token, syslogRest, line)
		b = appendFrame(b, message)
	}
	deadline, _ := ctx.Deadline()
	err := s.conn.SetWriteDeadline(deadline)
	if err == nil {
		_, err = s.conn.Write(b)
	}
	if err != nil {
		s.close()
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// connect connects unless there is a connection. Syslog has no answers: only
// reading shows that a receiver has hung up.
func (s *streamSink) connect(ctx context.Context) error {
	select {
	case <-s.gone:
		s.close()
	default:
	}
	if s.conn != nil {
		return nil
	}
	conn, err := s.d.opt.Dial(ctx, "tcp", s.host)
	if err != nil {
		return err
	}
	if s.tls {
		if conn, err = s.secure(ctx, conn); err != nil {
			return err
		}
	}
	s.conn, s.gone = conn, make(chan struct{})
	go func(gone chan struct{}) { // ends with the connection
		defer close(gone)
		// Only the end matters. The next send closes the connection of a receiver
		// that sends without end.
		_, _ = io.CopyN(io.Discard, conn, maxAnswer)
	}(s.gone)
	return nil
}

func (s *streamSink) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	config := s.d.tls.Clone()
	config.ServerName, _, _ = net.SplitHostPort(s.host) // a port was asked for
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("secure: %w", err), conn.Close())
	}
	return secured, nil
}

func (s *streamSink) close() {
	if s.conn == nil {
		return
	}
	_ = s.conn.Close() // what was sent was looked at
	<-s.gone
	s.conn, s.gone = nil, nil
}

// packetSink is syslog over UDP: a message is a datagram, and nobody knows
// whether it arrives.
type packetSink struct {
	d           *Drainer
	token, host string
}

func (s *packetSink) send(ctx context.Context, _ string, lines []renga.LogLine) error {
	conn, err := s.d.opt.Dial(ctx, "udp", s.host)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // datagrams are sent when they are written
	var message []byte
	for _, line := range lines {
		message = appendMessage(message[:0], s.token, syslogRest, line)
		if _, err := conn.Write(message); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}

func (s *packetSink) close() {}

// httpSink posts lines as Heroku's Logplex does.
type httpSink struct {
	client         *http.Client
	token          string
	url            string
	user, password string
	hasUser        bool
}

func newHTTPSink(d *Drainer, one renga.Drain, u *url.URL) *httpSink {
	s := &httpSink{token: one.Token}
	if u.User != nil {
		s.hasUser, s.user = true, u.User.Username()
		s.password, _ = u.User.Password()
		bare := *u
		bare.User = nil
		u = &bare
	}
	s.url = u.String()
	s.client = &http.Client{
		Transport: &http.Transport{
			DialContext: d.opt.Dial, TLSClientConfig: d.tls.Clone(), ForceAttemptHTTP2: true,
			MaxIdleConns: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxAnswer, DisableCompression: true,
			HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: maxAnswer, MaxReceiveBufferPerConnection: 2 * maxAnswer},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s
}

func (s *httpSink) send(ctx context.Context, frame string, lines []renga.LogLine) error {
	var b, message []byte
	for _, line := range lines {
		message = append(appendMessage(message[:0], "host", " - ", line), '\n')
		b = appendFrame(b, message)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(b))
	if err != nil {
		return ownerError("its URL cannot be asked")
	}
	if s.hasUser {
		req.SetBasicAuth(s.user, s.password)
	}
	req.Header.Set("Content-Type", "application/logplex-1")
	req.Header.Set("Logplex-Msg-Count", strconv.Itoa(len(lines)))
	req.Header.Set("Logplex-Frame-Id", frame)
	req.Header.Set("Logplex-Drain-Token", s.token)
	req.Header.Set("User-Agent", "Renga")
	res, err := s.client.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // so that the connection can be used again
	res.Body.Close()
	if res.StatusCode/100 != 2 {
		return ownerError(fmt.Sprintf("the receiver answered %d", res.StatusCode))
	}
	return nil
}

// withoutURL removes the URL from an HTTP client's error: its query may be
// secret.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return fmt.Errorf("send: %w", e.Err)
	}
	return err
}

func (s *httpSink) close() { s.client.CloseIdleConnections() }
