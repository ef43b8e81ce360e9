package bucket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"renga"
)

// keys finds the access keys, each time anew.
type keys struct{ file string }

// IsExpired implements [credentials.Provider].
func (keys) IsExpired() bool { return true }

// Retrieve implements [credentials.Provider].
func (k keys) Retrieve() (credentials.Value, error) { return k.RetrieveWithCredContext(nil) }

// RetrieveWithCredContext implements [credentials.Provider].
func (k keys) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	if k.file == "" {
		v, err := (&credentials.EnvAWS{}).Retrieve()
		if err == nil && (v.AccessKeyID == "" || v.SecretAccessKey == "") {
			err = keyless("There are no keys for the bucket of the backups: name a file of them with --s3-credentials, or set " +
				"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
		}
		return v, err
	}
	if err := checkPrivate(k.file); err != nil {
		return credentials.Value{}, err
	}
	v, err := (&credentials.FileAWSCredentials{Filename: k.file}).RetrieveWithCredContext(nil)
	if err != nil || v.AccessKeyID == "" || v.SecretAccessKey == "" {
		// The library's error might quote the text.
		return credentials.Value{}, keyless("The file --s3-credentials names has no aws_access_key_id and aws_secret_access_key " +
			"below [default].")
	}
	return v, nil
}

// checkPrivate refuses a file that others may read.
func checkPrivate(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return keyless("The file that --s3-credentials names is not there.")
	case err != nil:
		return keyless(fmt.Sprintf("The file that --s3-credentials names cannot be read: %v.", err))
	case !info.Mode().IsRegular():
		return keyless("What --s3-credentials names is no regular file.")
	case info.Mode().Perm()&0o077 != 0:
		return keyless("Others may read or write the file that --s3-credentials names: run `chmod 600` on it.")
	}
	return nil
}

func keyless(message string) error { return renga.Errorf(renga.Unavailable, "%s", message) }
