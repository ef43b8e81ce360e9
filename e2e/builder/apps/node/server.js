const express = require("express");
const { version } = require("express/package.json");

express()
  .get("/", (request, response) => response.type("text").send(`Node.js with express ${version}\n`))
  .listen(process.env.PORT);
