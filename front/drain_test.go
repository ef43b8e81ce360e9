package front_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"

	"renga/front"
)

// ask sends a request over a connection and gives its answer's head.
func ask(t *testing.T, c net.Conn, r *bufio.Reader) *http.Response {
	t.Helper()
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	if err := response.Body.Close(); err != nil { // reads it to its end
		t.Fatal(err)
	}
	return response
}

func TestARequestOverAnIdleConnectionAtTheEndIsAnsweredAndTheConnectionClosed(t *testing.T) {
	o := open(t, front.Door{})
	c, err := net.Dial("tcp", o.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }() // the peer closes it
	r := bufio.NewReader(c)
	if first := ask(t, c, r); first.Close {
		t.Error("the first answer closes the connection")
	}
	o.stop()
	for {
		// It may be answered once more as ever, before the door notices its end.
		if last := ask(t, c, r); last.Close {
			break
		}
	}
}

func TestTheEndDoesNotWaitWithoutConnections(t *testing.T) {
	o := open(t, front.Door{})
	o.stop()
	if err := <-o.ended; err != nil {
		t.Fatal(err)
	}
	o.ended <- nil
	if _, err := net.Dial("tcp", o.addr); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("dial after the end: %v", err)
	}
}
