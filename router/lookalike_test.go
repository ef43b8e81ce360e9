package router_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"renga/router"
)

// heads tells the names of headers and trailers that reached the dyno.
func heads(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	for name, values := range r.Header {
		_, _ = fmt.Fprintf(w, "%s=%s\n", name, strings.Join(values, "|"))
	}
	for name, values := range r.Trailer {
		_, _ = fmt.Fprintf(w, "trailer %s=%s\n", name, strings.Join(values, "|"))
	}
}

func TestWhatADynoCouldTakeForOneOfOursDoesNotReachIt(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, heads))
	c := f.dial(t)
	var sent strings.Builder
	for _, name := range []string{
		"X_Forwarded_For", "x-forwarded_for", "X_FORWARDED-Proto", "X_Forwarded_Port", "X_Forwarded_Host", "X_Request_Id",
		"x_request_start",
		"Content_Length", "Transfer_Encoding", "Proxy", "X_Own_Header", "User_Id", "Proxy_Mode", "_", "X-Forwarded-For_",
	} {
		sent.WriteString(name + ": forged\r\n")
	}
	c.send("GET / HTTP/1.1\r\nHost: " + host + "\r\n" + sent.String() + "\r\n")
	got := string(readBody(t, c))
	for _, stays := range []string{
		"X_own_header=forged", "User_id=forged", "Proxy_mode=forged", "_=forged", "X-Forwarded-For_=forged",
	} {
		if !strings.Contains(got, stays+"\n") {
			t.Errorf("%s did not reach the dyno", stays)
		}
	}
	if n := strings.Count(got, "forged"); n != 5 {
		t.Errorf("%d of the headers reached the dyno, want 5:\n%s", n, got)
	}
	if !strings.Contains(got, "X-Forwarded-For=127.0.0.1\n") {
		t.Errorf("our own is missing:\n%s", got)
	}
}

func TestTrailersBearNoHeadersOfOurs(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, heads))
	c := f.dial(t)
	c.send("POST / HTTP/1.1\r\nHost: " + host + "\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, " +
		"X-Forwarded-For\r\n\r\n" +
		"1\r\na\r\n0\r\nX-Sum: 42\r\nX-Forwarded-For: forged\r\nX_Forwarded_Proto: forged\r\nX-Request-Id: forged\r\n\r\n")
	got := string(readBody(t, c))
	if strings.Contains(got, "forged") || !strings.Contains(got, "trailer X-Sum=42\n") {
		t.Errorf("the dyno got\n%s", got)
	}
}

// readBody reads one good answer.
func readBody(t *testing.T, c *rawConn) []byte {
	t.Helper()
	res, err := http.ReadResponse(c.r, nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", res, err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAPortThatCannotBeIsTheSchemes(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, heads))
	for port, want := range map[string]string{
		"": "80", ":": "80", ":0": "80", ":65536": "80", ":99999999999999999999": "80", ":http": "80", ":-1": "80",
		":080": "80",
		":1":   "1", ":5000": "5000", ":65535": "65535",
	} {
		c := f.dial(t)
		c.send("GET / HTTP/1.1\r\nHost: " + host + port + "\r\n\r\n")
		if got := string(readBody(t, c)); !strings.Contains(got, "X-Forwarded-Port="+want+"\n") {
			t.Errorf("Host ends with %q: the dyno got\n%s", port, got)
		}
	}
}
