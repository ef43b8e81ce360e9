// Command mongosh is a stand-in for MongoDB's shell in tests. Of JavaScript it understands single lines, from standard
// input or --eval, whose arguments are JSON, and prints what each is:
//
//	db.getSiblingDB("admin").auth("ada", "secret")
//	db.adminCommand({"createUser": "ada", "pwd": "secret", "roles": ["root"]})
//	db.getSiblingDB("orders").runCommand({"ping": 1}).ok
//	try { db.runCommand({"dropUser": "ada"}) } catch (e) { if (e.code !== 11) throw e }
//
// The database's name is its other argument, test by default; --quiet, --norc and --host are accepted.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"
)

func main() {
	s := &shell{host: "127.0.0.1", database: "test"}
	script, err := s.arguments(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.run(ctx, script); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// shell runs lines.
type shell struct {
	host, database string
	user, password string
	client         *mongo.Client
}

// arguments takes those of the command, in any order, and finds the script.
func (s *shell) arguments(args []string) (io.Reader, error) {
	script := io.Reader(os.Stdin)
	flags := flag.NewFlagSet("mongosh", flag.ContinueOnError)
	flags.Func("eval", "a script; standard input by default", func(text string) error {
		script = strings.NewReader(text)
		return nil
	})
	flags.StringVar(&s.host, "host", s.host, "where the server is")
	flags.Bool("quiet", false, "ignored")
	flags.Bool("norc", false, "ignored")
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if args = flags.Args(); len(args) > 0 {
			s.database, args = args[0], args[1:]
		}
	}
	return script, nil
}

var statement = regexp.MustCompile(`^db(?:\.getSiblingDB\(["']([^"']+)["']\))?\.(auth|runCommand|adminCommand)\((.*)\)((?:\.\w+)*);?$`)

func (s *shell) run(ctx context.Context, script io.Reader) error {
	lines := bufio.NewScanner(script)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		if err := s.line(ctx, line); err != nil {
			return err
		}
	}
	return lines.Err()
}

// attempt is a statement that may fail with one code of the server's.
var attempt = regexp.MustCompile(`^try \{ (.*) \} catch \(e\) \{ if \(e\.code !== (\d+)\) throw e \}$`)

func (s *shell) line(ctx context.Context, line string) error {
	if tried := attempt.FindStringSubmatch(line); tried != nil {
		err := s.line(ctx, tried[1])
		var refused mongo.CommandError
		if errors.As(err, &refused) && strconv.Itoa(int(refused.Code)) == tried[2] {
			return nil
		}
		return err
	}
	parts := statement.FindStringSubmatch(line)
	if parts == nil {
		return errors.New("SyntaxError: this stand-in for mongosh does not understand the line; see its main.go")
	}
	return s.do(ctx, parts[1], parts[2], parts[3], parts[4])
}

func (s *shell) do(ctx context.Context, database, verb, argument, path string) error {
	if verb == "auth" {
		return s.auth(ctx, argument)
	}
	if database == "" {
		database = s.database
	}
	if verb == "adminCommand" {
		database = "admin"
	}
	var command bson.D
	if err := bson.UnmarshalExtJSON([]byte(argument), false, &command); err != nil {
		return err
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	var answer bson.M
	if err := s.client.Database(database).RunCommand(ctx, command).Decode(&answer); err != nil {
		return err
	}
	return show(answer, path)
}

// auth takes a user and a password, and tries them.
func (s *shell) auth(ctx context.Context, arguments string) error {
	var both []string
	if err := json.Unmarshal([]byte("["+arguments+"]"), &both); err != nil || len(both) != 2 {
		return errors.New("MongoshInvalidInputError: auth takes two strings")
	}
	s.user, s.password, s.client = both[0], both[1], nil
	if err := s.connect(ctx); err != nil {
		return err
	}
	if err := s.client.Ping(ctx, nil); err != nil {
		return err
	}
	fmt.Println("{ ok: 1 }")
	return nil
}

func (s *shell) connect(ctx context.Context) error {
	if s.client != nil {
		return nil
	}
	o := options.Client().ApplyURI("mongodb://" + s.host + ":27017/?directConnection=true").SetServerSelectionTimeout(5 * time.Second)
	if s.user != "" {
		o.SetAuth(options.Credential{AuthSource: "admin", Username: s.user, Password: s.password})
	}
	var err error
	s.client, err = mongo.Connect(ctx, o)
	return err
}

// show prints an answer, or what is in it at that path: .connections.current
func show(answer bson.M, path string) error {
	var value any = answer
	for _, name := range strings.Split(path, ".")[1:] {
		inner, ok := value.(bson.M)
		if !ok {
			return fmt.Errorf("TypeError: cannot read %s", name)
		}
		value = inner[name]
	}
	if m, ok := value.(bson.M); ok {
		text, err := bson.MarshalExtJSON(m, false, false)
		fmt.Println(string(text))
		return err
	}
	fmt.Println(value)
	return nil
}
