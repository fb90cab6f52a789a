#include "hesse/report/html.h"

#include "page_check.h"

#include "hesse/report/json.h"

#include <catch2/catch.hpp>

using namespace hesse;
using test::tag_trouble;

TEST_CASE("text that reaches HTML cannot become a tag or end an attribute") {
  CHECK(html_text("a < b && c > \"d\" 'e'") == "a &lt; b &amp;&amp; c &gt; &quot;d&quot; &#39;e&#39;");
  CHECK(html_text("tab\tline\nstay") == "tab\tline\nstay");
  // U+FFFD for what HTML forbids.
  CHECK(html_text(std::string_view("\0\x01\x7F", 3)) == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(html_text("\xC3\xA9") == "\xC3\xA9");
}

TEST_CASE("JSON in a script element parses back to itself and holds nothing that ends the element") {
  Json json;
  json["</script><script>alert(1)</script>"] = "<!-- & \xE2\x80\xA8 \xE2\x80\xA9 \xE2\x80\xA6 \\ \" ]]>";
  json["numbers"] = {1e-300, -0.0, json_number(std::nan(""))};
  const std::string safe = html_script_json(json_text(json, false));
  CHECK(safe.find_first_of("<>&") == std::string::npos);
  CHECK(safe.find("\xE2\x80\xA8") == std::string::npos);
  CHECK(safe.find("\xE2\x80\xA9") == std::string::npos);
  CHECK(parse_json(safe, "page") == json);
}

TEST_CASE("a table keeps its cells and its tags balance whatever the cells hold") {
  Table table;
  table.title = "<title> & \"quotes\"";
  table.columns = {{"<b>", false}, {"value"}};
  table.add({Cell("</td></table>"), Cell("1.5", true)});
  table.add({Cell("plain"), Cell("nan")});
  const std::string html = html_table(table);
  CHECK(tag_trouble(html) == "");
  CHECK_THAT(html, Catch::Contains("&lt;/td&gt;&lt;/table&gt;"));
  CHECK_THAT(html, Catch::Contains("<td class=\"number\"><strong>1.5</strong></td>"));
  CHECK_THAT(html, Catch::Contains("<td class=\"number\">nan</td>"));
  CHECK(tag_trouble(html_facts({{"a<b", "c>d"}, {"\"", "'"}})) == "");
  CHECK(tag_trouble(html_paragraph("x</p><p>", "\"><script>")) == "");
}

TEST_CASE("base64 gives the vectors of RFC 4648") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foob") == "Zm9vYg==");
  CHECK(base64("fooba") == "Zm9vYmE=");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64("\xFB\xFF\xFE") == "+//+");
}

TEST_CASE("the check of tags sees what is wrong") {
  CHECK(tag_trouble("<p>a<br>b</p>") == "");
  CHECK(tag_trouble("<p><b></p></b>") != "");
  CHECK(tag_trouble("<p>") != "");
  CHECK(tag_trouble("a < b") != "");
  CHECK(tag_trouble("<script>if (a < b) {}</script>") == "");
}
