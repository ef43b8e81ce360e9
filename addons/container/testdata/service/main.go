// Command service is what tests run as the service of an add-on, and as its client.
// It keeps keys with their values in its volume, and who may come in in its memory
// only, as Redis does.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	conf   = "/etc/service/conf"
	folder = "/data"
	port   = ":7000"
	owner  = 1000
)

func main() {
	var err error
	switch verb := os.Args[1]; verb {
	case "serve":
		err = serve()
	case "wait": // as a dyno, until SIGTERM
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		<-term
	case "admin": // passes commands on from its input
		err = admin()
	case "dump":
		err = dump()
	case "ask": // URL COMMAND…
		err = ask(os.Args[2], os.Args[3:])
	case "hold": // URL: a connection that stays open until the service ends it
		err = hold(os.Args[2])
	case "reach": // ADDRESS
		err = reach(os.Args[2])
	case "print":
		var text []byte
		text, err = os.ReadFile(os.Args[2])
		fmt.Print(string(text))
	case "eat":
		err = misbehave("eat")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// server is the service.
type server struct {
	mu    sync.Mutex
	users map[string]string
	conns map[net.Conn]string // by who came in
	admin string
}

func serve() error {
	// As official images do: its volume is made its own, by root.
	if err := os.Chown(folder, owner, owner); err != nil {
		return err
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(owner), syscall.Setuid(owner)); err != nil {
		return err
	}
	text, err := os.ReadFile(conf)
	if err != nil {
		return err
	}
	fmt.Printf("serving for %s with %s\n", os.Getenv("NAME"), strings.Join(os.Args[2:], " "))
	if len(os.Args) > 2 {
		if err := misbehave(os.Args[2]); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", port)
	if err != nil {
		return err
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		<-term
		fmt.Println("ending in order")
		os.Exit(0)
	}()
	s := &server{users: map[string]string{}, conns: map[net.Conn]string{}, admin: strings.TrimSpace(string(text))}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go s.handle(conn)
	}
}

// misbehave does what is asked of it before it serves.
func misbehave(how string) error {
	switch how {
	case "crash":
		return errors.New("I do not want to")
	case "hang":
		time.Sleep(time.Hour)
	case "full":
		return errors.New("write /data/x: no space left on device")
	case "eat":
		var all [][]byte
		for {
			more := make([]byte, 1<<20)
			for n := range more {
				more[n] = byte(n)
			}
			all = append(all, more)
			_ = len(all)
		}
	case "flood":
		go func() {
			for n := 0; ; n++ {
				fmt.Println("flood", n, strings.Repeat("x", 100))
			}
		}()
	}
	return nil
}

// handle serves one connection: the first line says who it is.
func (s *server) handle(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	if !lines.Scan() {
		return
	}
	user, password, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "AUTH "), " ")
	s.mu.Lock()
	known, ok := s.users[user]
	in := ok && known == password || user == "admin" && password == s.admin
	if in {
		s.conns[conn] = user
	}
	s.mu.Unlock()
	if !in {
		fmt.Fprintln(conn, "wrong password")
		return
	}
	fmt.Fprintln(conn, "OK")
	for lines.Scan() {
		fmt.Fprintln(conn, s.do(user, strings.Fields(lines.Text())))
	}
	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
}

func (s *server) do(user string, words []string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(words) == 3 && words[0] == "SET":
		if err := os.WriteFile(folder+"/"+words[1], []byte(words[2]), 0o600); err != nil {
			return err.Error()
		}
		return "OK"
	case len(words) == 2 && words[0] == "GET":
		text, err := os.ReadFile(folder + "/" + words[1])
		if err != nil {
			return "none"
		}
		return string(text)
	case len(words) == 3 && words[0] == "GRANT" && user == "admin":
		s.users[words[1]] = words[2]
		return "OK"
	case len(words) == 2 && words[0] == "REVOKE" && user == "admin":
		delete(s.users, words[1])
		for conn, who := range s.conns {
			if who == words[1] {
				conn.Close()
			}
		}
		return "OK"
	case len(words) == 1 && words[0] == "COUNT":
		return fmt.Sprint(len(s.conns) - 1)
	case len(words) == 1 && words[0] == "PING":
		return "OK"
	}
	return "what?"
}

func open(host, user, password string) (net.Conn, *bufio.Scanner, error) {
	conn, err := net.DialTimeout("tcp", host, 3*time.Second)
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintln(conn, "AUTH", user, password)
	lines := bufio.NewScanner(conn)
	if !lines.Scan() || lines.Text() != "OK" {
		return nil, nil, errors.New(lines.Text())
	}
	return conn, lines, nil
}

// admin sends the lines of its input as the platform.
func admin() error {
	password, err := os.ReadFile(conf)
	if err != nil {
		return err
	}
	conn, answers, err := open("127.0.0.1"+port, "admin", strings.TrimSpace(string(password)))
	if err != nil {
		return err
	}
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		fmt.Fprintln(conn, input.Text())
		if !answers.Scan() {
			return errors.New("it went away")
		}
		if answers.Text() == "what?" {
			return fmt.Errorf("refused: %s", input.Text())
		}
		fmt.Println(answers.Text())
	}
	return input.Err()
}

// dump prints all keys with their values; restoring is admin with that as input.
func dump() error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		text, err := os.ReadFile(folder + "/" + e.Name())
		if err != nil {
			return err
		}
		fmt.Println("SET", e.Name(), string(text))
	}
	return nil
}

func ask(at string, words []string) error {
	u, err := url.Parse(at)
	if err != nil {
		return err
	}
	password, _ := u.User.Password()
	conn, answers, err := open(u.Host, u.User.Username(), password)
	if err != nil {
		return err
	}
	fmt.Fprintln(conn, strings.Join(words, " "))
	if !answers.Scan() {
		return errors.New("no answer")
	}
	fmt.Print(answers.Text())
	return nil
}

func hold(at string) error {
	u, err := url.Parse(at)
	if err != nil {
		return err
	}
	password, _ := u.User.Password()
	conn, _, err := open(u.Host, u.User.Username(), password)
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, conn)
	fmt.Println("ended")
	return nil
}

func reach(address string) error {
	conn, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return err
	}
	fmt.Println("reached")
	return conn.Close()
}
