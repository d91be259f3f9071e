// Reads bodies with jsoncpp's default reader, which takes comments for JSON. See ../readers.py.
#include <json/json.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>

static std::string decoded(const std::string &text) {
  std::string bytes;
  unsigned bits = 0, count = 0;
  for (const char c : text) {
    const char *found = std::strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", c);
    if (c == '=' || found == nullptr) break;
    bits = bits << 6 | static_cast<unsigned>(found - "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    if (++count % 4 != 1) bytes += static_cast<char>(bits >> (6 - 2 * ((count - 1) % 4)) & 255);
  }
  return bytes;
}

static std::string said(const Json::Value &value) {
  if (value.isNull()) return "null";
  if (value.isBool()) return value.asBool() ? "true" : "false";
  char text[64];
  if (value.isString()) {
    std::string hex = "s";
    for (const unsigned char c : value.asString()) {
      std::snprintf(text, sizeof text, "%02x", c);
      hex += text;
    }
    return hex;
  }
  if (!value.isNumeric()) return "?";
  const double number = value.asDouble();
  if (!(std::fabs(number) < 1e15) || number != std::floor(number)) return "n?";
  std::snprintf(text, sizeof text, "n%.0f", number == 0 ? 0.0 : number);
  return text;
}

int main(int count, char **names) {
  std::string line;
  const Json::CharReaderBuilder builder;
  while (std::getline(std::cin, line)) {
    std::istringstream body(decoded(line));
    Json::Value members;
    std::string problems, answer;
    bool read = false;
    try {
      read = Json::parseFromStream(builder, body, &members, &problems) && members.isObject();
    } catch (const std::exception &) {
    }
    for (int n = 1; read && n < count; n++) {
      answer += (n > 1 ? " " : "") + (members.isMember(names[n]) ? said(members[names[n]]) : "-");
    }
    std::cout << (read ? answer : "refused") << "\n";
  }
}
