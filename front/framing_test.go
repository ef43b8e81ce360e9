package front_test

import (
	"bufio"
	"io"
	"net/http"
	"testing"
	"time"

	"renga/front"
)

func TestARequestFramedTwiceIsAnsweredAsChunkedAndEndsItsConnection(t *testing.T) {
	o := open(t, front.Door{})
	for _, request := range []struct {
		head   string
		closes bool
	}{
		{"Content-Length: 4\r\nTransfer-Encoding: chunked", true},
		{"Transfer-Encoding: chunked\r\nContent-Length: 30", true},
		{"Transfer-Encoding: chunked\r\nContent-Length: 30\r\nConnection: Upgrade\r\nUpgrade: websocket", true},
		{"Content-Length: 13", false},
	} {
		c := dial(t, o)
		if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		// To who counts bytes, a second request hides behind the first four.
		body := "3\r\nabc\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
		if _, err := io.WriteString(c, "POST /seen HTTP/1.1\r\nHost: x\r\n"+request.head+"\r\n\r\n"+body); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%q: %v", request.head, err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if request.closes {
			if want := "HTTP/1.1 /seen tls=false body=abc"; string(got) != want || !res.Close {
				t.Errorf("%q: got %q, closes %t", request.head, got, res.Close)
			}
			if rest, err := io.ReadAll(r); len(rest) > 0 {
				t.Errorf("%q: after the answer came %q, %v", request.head, rest, err)
			}
		} else if res.Close {
			t.Errorf("%q: the connection is closed", request.head)
		}
	}
}
