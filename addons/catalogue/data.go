package catalogue

import (
	"cmp"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"renga"
)

// Data is what templates may use: {{.Host}}. It has passwords in it, and prints
// as "[redacted]".
type Data struct {
	ID, Name, Host, Database string
	Port                     int
	Path                     string // where dynos find a disk
	Admin                    string // the password with which only the platform comes in
	User, Password           string // of one credential; empty where there is none
	Version                  string
	MemoryBytes, DiskBytes   int64
	MemoryMB                 int64
	Connections              int
}

// Data are what the templates of an add-on of the service may use. It has no
// credential: see [Data.With].
func (s Service) Data(a renga.AddOn, p Plan) Data {
	return Data{
		ID: string(a.ID), Name: a.Name, Host: a.Host, Database: DatabaseName(a.ID), Port: s.Port,
		Path:  cmp.Or(a.Options["path"], s.Volume),
		Admin: string(a.Admin), Version: cmp.Or(a.Options["version"], s.Version),
		MemoryBytes: int64(p.Memory), MemoryMB: int64(p.Memory) >> 20, DiskBytes: int64(p.Disk), Connections: p.Connections,
	}
}

// With is d with a credential.
func (d Data) With(c renga.Credential) Data {
	d.User, d.Password = c.User, string(c.Password)
	return d
}

// DatabaseName is how the database of an add-on is called in its server, for ever:
// d and the first 13 hex digits of its id.
func DatabaseName(id renga.AddOnID) string {
	digits := strings.ReplaceAll(string(id), "-", "")
	return "d" + digits[:min(13, len(digits))]
}

// String hides the passwords, as the next two do.
func (Data) String() string { return "[redacted]" }

// GoString hides them from %#v.
func (Data) GoString() string { return "[redacted]" }

// LogValue hides them from slog.
func (Data) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// plain is what a text may be made of that is put into SQL, shell scripts, URLs and
// configuration files alike. Nothing in it means anything in any of them.
var plain = regexp.MustCompile(`^[A-Za-z0-9._/-]*$`)

// check refuses texts that could end the quotes that a template puts around them.
// Its error does not say what they are.
func (d Data) check() error {
	for field, value := range map[string]string{
		"ID": d.ID, "Name": d.Name, "Host": d.Host, "Database": d.Database, "Path": d.Path, "Admin": d.Admin,
		"User": d.User, "Password": d.Password, "Version": d.Version,
	} {
		if !plain.MatchString(value) {
			return fmt.Errorf("the value for {{.%s}} has characters in it that are not safe in every command", field)
		}
	}
	return nil
}
