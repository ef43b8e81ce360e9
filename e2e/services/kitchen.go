package services

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// label is on each image that is made here; its value is the hash of the recipe.
const label = "renga.test.recipe"

// kitchen makes images.
type kitchen struct {
	images  string // the folder of recipes
	recipes []recipe
}

func newKitchen(ctx context.Context) (*kitchen, error) {
	dir, err := run(ctx, nil, "go", "list", "-f", "{{.Dir}}", "renga/e2e/services")
	if err != nil {
		return nil, fmt.Errorf("find the recipes of images: %w", err)
	}
	return &kitchen{filepath.Join(dir, "images"), recipes}, nil
}

// build makes the image unless it is there. Nobody else makes it meanwhile.
func (k *kitchen) build(ctx context.Context, tag string) error {
	r, err := k.find(tag)
	if err != nil {
		return err
	}
	hash, err := k.hash(r)
	if err != nil {
		return err
	}
	unlock, err := lock(tag)
	if err != nil {
		return err
	}
	defer unlock()
	old, err := look(ctx, tag)
	if err != nil || old.hash == hash {
		return err
	}
	if old.id != "" && old.hash == "" {
		return fmt.Errorf("there is an image %s on this machine that was not made by these tests. They do not replace it: "+
			"give it another name with `docker tag`, remove this one with `docker image rm %s`, and run them again", tag, tag)
	}
	if old.id != "" {
		if err := keep(ctx, old); err != nil {
			return err
		}
	}
	before, err := look(ctx, kept(hash))
	switch {
	case err != nil:
		return err
	case before.hash == hash:
		_, err = run(ctx, nil, "docker", "tag", before.id, tag)
		return err
	case r.suite != "":
		return k.debootstrap(ctx, r, hash)
	}
	return k.dockerBuild(ctx, r, hash)
}

// kept is a further name of an image by its recipe. It gives the image back when another checkout of these tests, with
// another recipe, has taken the tag, and both are tested in turns.
func kept(hash string) string { return "renga-test-recipe:" + hash[:16] }

func keep(ctx context.Context, old image) error {
	_, err := run(ctx, nil, "docker", "tag", old.id, kept(old.hash))
	return err
}

// debootstrap makes a base image.
func (k *kitchen) debootstrap(ctx context.Context, r recipe, hash string) error {
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		return errors.New("mmdebstrap is missing: run `script/setup.sh --test`")
	}
	dir, err := os.MkdirTemp("", "renga-base-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary directory: the system's to clear
	root := filepath.Join(dir, "root.tar")
	if _, err := run(ctx, nil, filepath.Join(k.images, r.dir, "base.sh"), r.suite, root); err != nil {
		return err
	}
	_, err = run(ctx, nil, "docker", "import", "--change", "LABEL "+label+"="+hash, "--change", `CMD ["bash"]`,
		"--change", "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive",
		root, r.tag)
	return err
}

// dockerBuild makes an image from a Dockerfile. It uses the builder inside the engine, which needs no plugin.
// Packages come over the network of this machine, which has got others that way.
func (k *kitchen) dockerBuild(ctx context.Context, r recipe, hash string) error {
	args := []string{"DOCKER_BUILDKIT=0", "docker", "build", "--network=host", "--quiet", "--tag", r.tag, "--label", label + "=" + hash}
	if r.base != "" {
		if err := k.build(ctx, r.base); err != nil {
			return fmt.Errorf("build %s: %w", r.base, err)
		}
		args = append(args, "--build-arg", "BASE="+r.base)
	}
	for name, value := range r.args {
		args = append(args, "--build-arg", name+"="+value)
	}
	files, err := k.files(r)
	if err != nil {
		return err
	}
	programs, err := k.compile(ctx, r)
	if err != nil {
		return err
	}
	content, err := pack(slices.Concat(files, programs))
	if err != nil {
		return err
	}
	_, err = run(ctx, content, "env", append(args, "-")...)
	return err
}

// compile makes the programs of the recipe, which are static.
func (k *kitchen) compile(ctx context.Context, r recipe) ([]file, error) {
	if len(r.programs) == 0 {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "renga-programs-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary directory: the system's to clear
	for name, pkg := range r.programs {
		_, err := run(ctx, nil, "env", "CGO_ENABLED=0", "go", "build", "-C", filepath.Join(k.images, r.dir), "-buildvcs=false", "-trimpath",
			"-ldflags=-s -w", "-tags="+r.tags, "-o", filepath.Join(dir, name), pkg)
		if err != nil {
			return nil, err
		}
	}
	return readFiles(dir)
}

// pack makes a build context of files.
func pack(files []file) (io.Reader, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: int64(f.mode), Size: int64(len(f.content))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	return &b, w.Close()
}

// image is what the engine has under a tag; its id is empty when there is none, the hash when it is not ours.
type image struct{ id, hash string }

func look(ctx context.Context, tag string) (image, error) {
	ids, err := run(ctx, nil, "docker", "image", "ls", "--quiet", "--no-trunc", tag)
	if err != nil || ids == "" {
		return image{}, err
	}
	hash, err := run(ctx, nil, "docker", "image", "inspect", "--format", `{{index .Config.Labels "`+label+`"}}`, tag)
	return image{strings.Fields(ids)[0], strings.TrimSuffix(hash, "<no value>")}, err
}

// run runs a program and returns what it printed, without the line's end. The error has what it complained about.
func run(ctx context.Context, stdin io.Reader, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var complaints bytes.Buffer
	cmd.Stdin, cmd.Stderr = stdin, &complaints
	out, err := cmd.Output()
	if err != nil {
		said := slices.Concat(out, complaints.Bytes())
		return "", fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args[:min(2, len(args))], " "), err, said)
	}
	return strings.TrimSpace(string(out)), nil
}
