package builder

import (
	"context"
	"embed"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"
	"time"

	"renga/e2e/services"
)

// App is a small web app with a dependency that the build fetches. It answers GET / on $PORT.
type App struct {
	Name    string // of its folder in apps
	Builder string // the image that builds it
	Run     string // the image that it runs on
	Answer  string // the body of each answer, which names the language and its dependency's version
	// Processes are its process types with their commands.
	Processes map[string]string
	Lists     string // a part of the list of its dependencies (SBOM) in CycloneDX; empty when its buildpack makes none
	Fetches   string // what a build prints that fetches dependencies
	Reuses    string // what a build prints instead that has them from the cache
	// Broken is a manifest that cannot be read, Disagrees one that its lock file does not agree with.
	Broken, Disagrees Fault
}

// Fault is a file in place of the app's own with which the build fails.
type Fault struct {
	File    string // its path in the app
	Content string
	Says    string // a part of what the build prints of it
}

// The apps, one for each language.
var (
	Node = App{
		Name: "node", Builder: services.Builder24, Run: services.Run24,
		Answer:    "Node.js with express 4.21.2\n",
		Processes: map[string]string{"web": "node server.js"},
		Lists:     "pkg:npm/express@4.21.2",
		Fetches:   "-----> Installing dependencies with npm",
		Reuses:    "-----> Reusing node_modules from the cache",
		Broken:    Fault{"package.json", `{"name": "node-app",`, "Failed to parse JSON data"},
		Disagrees: Fault{"package.json", `{"dependencies": {"express": "4.20.0"}}`,
			"Invalid: lock file's express@4.21.2 does not satisfy express@4.20.0"},
	}
	Python = App{
		Name: "python", Builder: services.Builder24, Run: services.Run24,
		Answer:    "Python with bottle 0.12.23 and itsdangerous 2.1.2\n",
		Processes: map[string]string{"web": "python app.py", "worker": `python -c 'print("\"a\" worker")'`},
		Fetches:   "-----> Installing requirements with pip",
		Reuses:    "-----> Reusing the virtual environment from the cache",
		Broken:    Fault{"requirements.txt", "bottle=0.12.23\n", "Invalid requirement: 'bottle=0.12.23'"},
		// What pip has of a lock file is hashes.
		Disagrees: Fault{"requirements.txt",
			"bottle==0.12.23 --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000\n",
			"THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE"},
	}
	Ruby = App{
		Name: "ruby", Builder: services.Builder24, Run: services.Run24,
		Answer:    "Ruby with tilt 2.0.11\n",
		Processes: map[string]string{"web": "bundle exec ruby app.rb"},
		Fetches:   "-----> Installing gems with Bundler",
		Reuses:    "-----> Reusing gems from the cache",
		Broken:    Fault{"Gemfile", "source \"https://rubygems.org\"\n\ngem \"tilt\n", "There was an error parsing `Gemfile`"},
		Disagrees: Fault{"Gemfile", "source \"https://rubygems.org\"\n\ngem \"tilt\", \"~> 1.0\"\n", "tilt (~> 1.0)"},
	}
	Java = App{
		Name: "java", Builder: services.JavaBuilder24, Run: services.JavaRun24,
		Answer:    "Java with gson 2.10\n",
		Processes: map[string]string{"web": "java -jar target/app.jar"},
		Fetches:   "-----> Fetching dependencies with Apache Maven",
		Reuses:    "-----> Reusing the Maven repository from the cache",
		Broken:    Fault{"pom.xml", "<project>\n  <modelVersion>4.0.0\n", "Non-readable POM /workspace/pom.xml"},
		// Maven has no lock file; what it cannot do is fetch a version that there is not.
		Disagrees: Fault{"pom.xml", `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId>
  <artifactId>app</artifactId>
  <version>1.0</version>
  <dependencies>
    <dependency>
      <groupId>com.google.code.gson</groupId>
      <artifactId>gson</artifactId>
      <version>99.0</version>
    </dependency>
  </dependencies>
</project>
`, "gson:jar:99.0"},
	}
)

// Apps are all of them.
func Apps() []App { return []App{Node, Python, Ruby, Java} }

//go:embed apps
var files embed.FS

// Make makes the app's builder and run image, unless they are there, and returns their names.
func (a App) Make(t testing.TB) (builder, run string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	for _, image := range []string{a.Run, a.Builder} {
		if _, err := services.Build(ctx, image); err != nil {
			t.Fatal(err)
		}
	}
	return a.Builder, a.Run
}

// Write writes the app's files into a folder that is empty or not there yet.
func (a App) Write(dir string) error {
	tree, err := fs.Sub(files, path.Join("apps", a.Name))
	if err != nil {
		return err
	}
	return os.CopyFS(dir, tree)
}

// Write replaces the file in an app's folder.
func (f Fault) Write(dir string) error {
	return os.WriteFile(filepath.Join(dir, f.File), []byte(f.Content), 0o600)
}
