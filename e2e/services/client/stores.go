package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func writeRedis(ctx context.Context, where, key, value string) error {
	return withRedis(where, func(c *redis.Client) error { return c.Set(ctx, key, value, 0).Err() })
}

func readRedis(ctx context.Context, where, key string) (string, error) {
	var value string
	err := withRedis(where, func(c *redis.Client) (err error) {
		value, err = c.Get(ctx, key).Result()
		if errors.Is(err, redis.Nil) {
			return errNone
		}
		return err
	})
	return value, err
}

func withRedis(where string, do func(*redis.Client) error) error {
	o, err := redis.ParseURL(where)
	if err != nil {
		return err
	}
	o.MaxRetries = -1 // an error is to be seen, not tried again
	c := redis.NewClient(o)
	return errors.Join(do(c), c.Close())
}

// pair is a document of MongoDB.
type pair struct {
	Key   string `bson:"_id"`
	Value string `bson:"value"`
}

func writeMongo(ctx context.Context, where, key, value string) error {
	return withMongo(ctx, where, func(c *mongo.Collection) error {
		_, err := c.ReplaceOne(ctx, bson.D{{Key: "_id", Value: key}}, pair{key, value}, options.Replace().SetUpsert(true))
		return err
	})
}

func readMongo(ctx context.Context, where, key string) (string, error) {
	var found pair
	err := withMongo(ctx, where, func(c *mongo.Collection) error {
		err := c.FindOne(ctx, bson.D{{Key: "_id", Value: key}}).Decode(&found)
		if errors.Is(err, mongo.ErrNoDocuments) {
			return errNone
		}
		return err
	})
	return found.Value, err
}

// withMongo uses the database of the URL's path.
func withMongo(ctx context.Context, where string, do func(*mongo.Collection) error) error {
	_, path, _ := strings.Cut(strings.TrimPrefix(where, "mongodb://"), "/")
	database, _, _ := strings.Cut(path, "?")
	if database == "" {
		return errors.New("the URL names no database")
	}
	c, err := mongo.Connect(options.Client().ApplyURI(where).SetServerSelectionTimeout(timeout / 2))
	if err != nil {
		return err
	}
	return errors.Join(do(c.Database(database).Collection("kept")), c.Disconnect(ctx))
}

// index is where documents are in Elasticsearch.
const index = "kept"

func writeElasticsearch(ctx context.Context, where, key, value string) error {
	c, err := elastic(where)
	if err != nil {
		return err
	}
	document, err := json.Marshal(map[string]string{"value": value})
	if err != nil {
		return err
	}
	answer, err := c.Index(index, bytes.NewReader(document), c.Index.WithContext(ctx), c.Index.WithDocumentID(key), c.Index.WithRefresh("true"))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.IsError() {
		return errors.New(answer.String())
	}
	return nil
}

func readElasticsearch(ctx context.Context, where, key string) (string, error) {
	c, err := elastic(where)
	if err != nil {
		return "", err
	}
	answer, err := c.Get(index, key, c.Get.WithContext(ctx))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotFound {
		return "", errNone
	}
	if answer.IsError() {
		return "", errors.New(answer.String())
	}
	var found struct {
		Source struct{ Value string } `json:"_source"`
	}
	err = json.NewDecoder(answer.Body).Decode(&found)
	return found.Source.Value, err
}

func elastic(where string) (*elasticsearch.Client, error) {
	return elasticsearch.NewClient(elasticsearch.Config{Addresses: []string{where}, DisableRetry: true})
}

func writeFile(_ context.Context, where, key, value string) error {
	return os.WriteFile(filepath.Join(where, filepath.Base(key)), []byte(value), 0o600)
}

func readFile(_ context.Context, where, key string) (string, error) {
	content, err := os.ReadFile(filepath.Join(where, filepath.Base(key)))
	if errors.Is(err, os.ErrNotExist) {
		return "", errNone
	}
	return string(content), err
}
