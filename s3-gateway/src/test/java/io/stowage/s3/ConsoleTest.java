/*
 * Copyright 2026 The Stowage Authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */
package io.stowage.s3;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.stowage.s3.suite.RawS3;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The console: what its port lets through, and, where there is a Chromium (on the path, or by
 * {@code -Dstowage.browser=}), what a person does with it. {@code -Dstowage.pictures=} keeps
 * screenshots.
 */
class ConsoleTest {
  private static final String BUCKET = "console-bucket";
  private static final String VERSIONED = "console-versions";

  @TempDir Path directory;
  private InMemoryTarget gateway;
  private RawS3 s3;
  private URI page;

  @BeforeEach
  void start() throws Exception {
    gateway = new InMemoryTarget(Map.of("stowage.s3.console.bind", "127.0.0.1:0"));
    s3 = raw(gateway.target().endpoint());
    page = URI.create("http://127.0.0.1:" + gateway.gateway.consolePort() + "/_console/");
  }

  @AfterEach
  void stop() {
    gateway.close();
  }

  private static RawS3 raw(URI endpoint) {
    return new RawS3(endpoint, InMemoryTarget.ACCESS_KEY, InMemoryTarget.SECRET_KEY, "us-east-1");
  }

  @Test
  void isServedUnderAPolicyThatLetsNothingElseIn() throws IOException {
    RawS3 console = raw(page);
    assertEquals("/_console/", console.call("GET", "/").sendAsIs().headers().get("location"));
    for (String file :
        List.of("", "index.html", "console.js", "s3.js", "sigv4.js", "console.css", "icon.svg")) {
      RawS3.Reply reply = console.call("GET", "/_console/" + file).sendAsIs();
      assertEquals(200, reply.status(), file);
      String policy = reply.headers().get("content-security-policy");
      assertTrue(policy.startsWith("default-src 'none'; script-src 'self'"), policy);
      assertFalse(policy.contains("unsafe"), policy);
      assertEquals("nosniff", reply.headers().get("x-content-type-options"));
      assertEquals("DENY", reply.headers().get("x-frame-options"));
      assertEquals(
          304,
          console
              .call("GET", "/_console/" + file)
              .unsignedHeader("if-none-match", reply.headers().get("etag"))
              .sendAsIs()
              .status());
    }
    assertEquals(404, console.call("GET", "/_console/nothing.js").sendAsIs().status());
    assertEquals(405, console.call("POST", "/_console/").sendAsIs().status());
    assertEquals(
        "{\"region\":\"us-east-1\",\"s3Port\":" + gateway.gateway.port() + ",\"endpoint\":\"\"}",
        console.call("GET", "/_console/config.json").sendAsIs().text());
  }

  @Test
  void objectsAreNoPagesOfTheConsolesOrigin() throws IOException {
    s3.call("PUT", "/" + BUCKET).send();
    s3.call("PUT", "/" + BUCKET + "/evil.html")
        .header("content-type", "text/html")
        .header("x-amz-acl", "public-read")
        .body("<script>alert(sessionStorage)</script>")
        .send();
    assertEquals(200, s3.call("GET", "/" + BUCKET + "/evil.html").sendAsIs().status());
    RawS3 console = raw(page);
    assertEquals(403, console.call("GET", "/" + BUCKET + "/evil.html").sendAsIs().status());
    assertEquals(
        403,
        console
            .call("GET", "/" + BUCKET + "/evil.html?X-Amz-Algorithm=AWS4-HMAC-SHA256")
            .sendAsIs()
            .status());
    RawS3.Reply signed = console.call("GET", "/" + BUCKET + "/evil.html").send();
    assertEquals(200, signed.status());
    assertTrue(signed.headers().get("content-security-policy").startsWith("sandbox;"));
    assertEquals("nosniff", signed.headers().get("x-content-type-options"));
    RawS3.Reply refused = console.call("GET", "/" + BUCKET + "/none").send();
    assertEquals("NoSuchKey", refused.code());
    assertTrue(refused.headers().get("content-security-policy").startsWith("sandbox;"));
  }

  @Test
  void aPersonWorksWithIt() throws Exception {
    Path executable = Browser.find();
    assumeTrue(executable != null, "no browser on this machine");
    byte[] large = new byte[(17 << 20) + 12_345];
    new Random(7).nextBytes(large);
    Path largeFile = Files.write(directory.resolve("large file+ü.bin"), large);
    Path smallFile = Files.writeString(directory.resolve("small.txt"), "hello, console");
    try (Browser browser = new Browser(executable, directory.resolve("browser"))) {
      // Pictures of a save dialog cannot be pressed: the browser saves by itself.
      browser.beforeEveryPage("delete window.showSaveFilePicker");
      browser.open(page);
      signsIn(browser);
      makesABucket(browser);
      uploads(browser, smallFile, largeFile);
      assertArrayEquals(
          large, s3.call("GET", "/" + BUCKET + "/large%20file%2B%C3%BC.bin").send().body());
      browses(browser);
      sharesALink(browser);
      downloads(browser, large);
      looksAtVersions(browser);
      deletes(browser);
      signsOut(browser);
      assertEquals(List.of(), browser.complaints());
    }
  }

  private static void signsIn(Browser browser) throws Exception {
    browser.awaitTrue(
        "document.querySelector('#sign-in') && !document.querySelector('#sign-in').hidden");
    browser.picture("1-sign-in");
    browser.fill("#access-key", InMemoryTarget.ACCESS_KEY);
    browser.fill("#secret-key", "not it");
    browser.press("Enter", 13);
    browser.click("#sign-in-form button");
    browser.awaitTrue(
        "document.querySelector('#sign-in-error').textContent.includes('does not match')");
    browser.fill("#secret-key", InMemoryTarget.SECRET_KEY);
    browser.click("#sign-in-form button");
    browser.awaitTrue("!document.querySelector('#app').hidden");
    // A page that is loaded again is still signed in.
    reload(browser);
  }

  /** Until the page is another: the one before answers for a while. */
  private static void reload(Browser browser) throws Exception {
    browser.evaluate("window.isOld = true; location.reload()");
    browser.awaitTrue(
        "!window.isOld && document.querySelector('#app')"
            + " && !document.querySelector('#app').hidden");
  }

  private static void makesABucket(Browser browser) throws Exception {
    browser.click("#new-bucket");
    browser.fill("#ask-input", BUCKET);
    browser.click("#ask-yes");
    browser.awaitTrue(
        "document.querySelector('#buckets a[aria-current]')?.textContent === '" + BUCKET + "'");
    browser.awaitTrue("!document.querySelector('#empty').hidden");
  }

  /** Notes each place of each bar. */
  private static void watchesTransfers(Browser browser) throws Exception {
    browser.evaluate(
        "window.seen = new Set(); new MutationObserver(() => document.querySelectorAll('progress')"
            + ".forEach(p => seen.add(p.getAttribute('aria-label') + p.value)))"
            + ".observe(document.querySelector('#transfers'),"
            + " {subtree: true, attributes: true, childList: true, characterData: true})");
  }

  private static void uploads(Browser browser, Path... files) throws Exception {
    watchesTransfers(browser);
    browser.choose("#upload", files);
    browser.awaitTrue("document.querySelectorAll('.transfer.done').length === " + files.length);
    browser.awaitTrue("document.querySelectorAll('#objects tbody tr').length === " + files.length);
    // The bar moved on the way: 17 MiB go out in two parts.
    assertTrue(browser.evaluate("seen.size").asInt() > files.length + 1);
  }

  private void browses(Browser browser) throws Exception {
    for (String key : List.of("dir/one", "dir/sub/two", "a%20%22quoted%22%20%3Ckey%3E")) {
      s3.call("PUT", "/" + BUCKET + "/" + key)
          .header("x-amz-meta-colour", "blue")
          .header("x-amz-tagging", "team=storage")
          .body(key)
          .send();
    }
    browser.click("#refresh");
    browser.awaitTrue("document.querySelectorAll('#objects tbody tr').length === 4");
    browser.picture("2-listing");
    // By keys: the first row is the folder.
    browser.evaluate("document.querySelector('#objects tbody tr').focus()");
    browser.press("ArrowDown", 40);
    assertEquals("a \"quoted\" <key>", focused(browser));
    browser.press("ArrowUp", 38);
    assertEquals("dir/", focused(browser));
    browser.press("Enter", 13);
    browser.awaitTrue("document.querySelectorAll('#objects tbody tr').length === 2");
    assertEquals(
        "Buckets / " + BUCKET + " / dir",
        browser.evaluate("document.querySelector('#path').textContent").asText());
    browser.evaluate("document.querySelector('#objects tr[data-key]').focus()");
    browser.press("Enter", 13);
    browser.awaitTrue("document.querySelector('#properties').textContent.includes('ETag')");
    String properties =
        browser.evaluate("document.querySelector('#properties').textContent").asText();
    assertTrue(properties.contains("7 bytes") && properties.contains("blue"), properties);
    assertTrue(properties.contains("Tag teamstorage"), properties);
    assertTrue(properties.contains("CRC64NVME"), properties);
    browser.press("Escape", 27);
    browser.awaitTrue("document.querySelector('#details').hidden");
    browser.press("Backspace", 8);
    browser.awaitTrue("document.querySelectorAll('#objects tbody tr').length === 4");
    browser.fill("#filter", "sm");
    browser.awaitTrue("document.querySelectorAll('#objects tbody tr').length === 1");
    browser.fill("#filter", " ");
    browser.awaitTrue("document.querySelectorAll('#objects tbody tr').length === 0");
    reload(browser);
    browser.awaitTrue("document.querySelectorAll('#objects tbody tr').length === 4");
  }

  private static String focused(Browser browser) throws Exception {
    return browser
        .evaluate("document.activeElement.querySelector('.name')?.textContent ?? ''")
        .asText();
  }

  private static void sharesALink(Browser browser) throws Exception {
    browser.evaluate("document.querySelector('tr[data-key=\"small.txt\"]').click()");
    browser.awaitTrue("!document.querySelector('#details').hidden");
    browser.click("#share");
    browser.awaitTrue("document.querySelector('#share-link').value.includes('X-Amz-Signature=')");
    browser.picture("3-details");
    browser.call(
        "Emulation.setEmulatedMedia",
        Map.of("features", List.of(Map.of("name", "prefers-color-scheme", "value", "dark"))));
    browser.picture("4-dark");
    URI link = sharedLink(browser);
    assertTrue(link.getQuery().contains("X-Amz-Expires=3600"), link.toString());
    assertEquals("hello, console", get(link));
    browser.click("#details-close");
  }

  private void downloads(Browser browser, byte[] large) throws Exception {
    browser.evaluate("document.querySelector('tr[data-key^=\"large\"]').click()");
    browser.awaitTrue("!document.querySelector('#download').disabled");
    watchesTransfers(browser);
    browser.click("#download");
    browser.awaitTrue("document.querySelector('.transfer.done')");
    // The bar moved on the way: it was at more places than its start and its end.
    assertTrue(browser.evaluate("seen.size").asInt() > 2);
    Path saved = directory.resolve("browser/downloads/large file+ü.bin");
    Browser.await(() -> Files.exists(saved) && Files.size(saved) == large.length, "the file");
    assertArrayEquals(large, Files.readAllBytes(saved));
  }

  private void looksAtVersions(Browser browser) throws Exception {
    s3.call("PUT", "/" + VERSIONED).send();
    s3.call("PUT", "/" + VERSIONED + "?versioning")
        .body("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
        .send();
    s3.call("PUT", "/" + VERSIONED + "/doc").body("one").send();
    s3.call("PUT", "/" + VERSIONED + "/doc").body("second").send();
    s3.call("DELETE", "/" + VERSIONED + "/doc").send();
    browser.evaluate("location.hash = '#" + VERSIONED + "'");
    browser.awaitTrue("!document.querySelector('#empty').hidden");
    browser.click("#show-versions");
    browser.awaitTrue("document.querySelectorAll('#objects tbody tr').length === 3");
    assertEquals(
        "deleted, 6 B, 3 B",
        browser
            .evaluate(
                "Array.from(document.querySelectorAll('#objects td.number'))"
                    + ".map(cell => cell.textContent).join(', ')")
            .asText());
    assertEquals(
        "[true,false,false]",
        browser
            .evaluate(
                "JSON.stringify(Array.from(document.querySelectorAll('#objects td.version'))"
                    + ".map(cell => cell.textContent.startsWith('●')))")
            .asText());
    browser.picture("6-versions");

    // The oldest: what is shown and shared is of that version.
    browser.click("#objects tbody tr:nth-child(3)");
    browser.awaitTrue("document.querySelector('#properties').textContent.includes('3 bytes')");
    browser.awaitTrue("document.querySelectorAll('#versions li').length === 3");
    assertTrue(
        browser
            .evaluate(
                "document.querySelector('#versions li:nth-child(3) a').ariaCurrent === 'true'")
            .asBoolean());
    browser.click("#share");
    browser.awaitTrue("document.querySelector('#share-link').value.includes('versionId=')");
    assertEquals("one", get(sharedLink(browser)));
    // Another from the list of them, and the marker, of which there is nothing to load.
    browser.click("#versions li:nth-child(2) a");
    browser.awaitTrue("document.querySelector('#properties').textContent.includes('6 bytes')");
    browser.click("#objects tbody tr:nth-child(1)");
    browser.awaitTrue("document.querySelector('#download').disabled");

    // Without the marker the object is back.
    browser.click("#objects tbody tr:nth-child(1) input");
    browser.click("#delete-selected");
    answers(browser, "Delete this version?");
    browser.awaitTrue("document.querySelectorAll('#objects tbody tr').length === 2");
    assertEquals("second", s3.call("GET", "/" + VERSIONED + "/doc").send().text());
    browser.click("#show-versions");
    browser.awaitTrue("document.querySelectorAll('#objects tbody tr').length === 1");
    browser.click("#show-versions");
    browser.awaitTrue("document.querySelectorAll('#objects tbody tr').length === 2");
    browser.click("#all");
    browser.click("#delete-selected");
    answers(browser, "Delete these 2 versions for good?");
    browser.awaitTrue("document.querySelectorAll('#objects tbody tr').length === 0");
    assertEquals(204, s3.call("DELETE", "/" + VERSIONED).send().status());
    browser.click("#show-versions");
    browser.evaluate("location.hash = '#" + BUCKET + "'");
    browser.awaitTrue("document.querySelectorAll('#objects tbody tr').length === 4");
  }

  private static void answers(Browser browser, String question) throws Exception {
    browser.awaitTrue("document.querySelector('#ask').open");
    assertEquals(
        question, browser.evaluate("document.querySelector('#ask-text').textContent").asText());
    browser.click("#ask-yes");
  }

  private static URI sharedLink(Browser browser) throws Exception {
    return URI.create(browser.evaluate("document.querySelector('#share-link').value").asText());
  }

  private static String get(URI link) throws Exception {
    return HttpClient.newHttpClient()
        .send(
            HttpRequest.newBuilder(link).build(),
            HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8))
        .body();
  }

  private void deletes(Browser browser) throws Exception {
    browser.click("#all");
    browser.click("#delete-selected");
    browser.awaitTrue("document.querySelector('#ask').open");
    browser.picture("5-delete");
    browser.click("#ask-yes");
    browser.awaitTrue("document.querySelectorAll('#objects tbody tr').length === 1");
    RawS3.Reply left = s3.call("GET", "/" + BUCKET + "?list-type=2").send();
    assertEquals("2", left.element("KeyCount"), left.text());
    // What still holds something is not deleted, and the page says so.
    browser.click("#delete-bucket");
    browser.awaitTrue("document.querySelector('#ask').open");
    browser.click("#ask-yes");
    browser.awaitTrue("document.querySelector('#message').textContent.includes('BucketNotEmpty')");
    for (String key : List.of("dir/one", "dir/sub/two")) {
      s3.call("DELETE", "/" + BUCKET + "/" + key).send();
    }
    browser.click("#delete-bucket");
    browser.awaitTrue("document.querySelector('#ask').open");
    browser.click("#ask-yes");
    browser.awaitTrue("document.querySelector('#buckets').children.length === 0");
    assertEquals(404, s3.call("HEAD", "/" + BUCKET).send().status());
  }

  private static void signsOut(Browser browser) throws Exception {
    browser.click("#sign-out");
    browser.awaitTrue("!document.querySelector('#sign-in').hidden");
    assertEquals(0, browser.evaluate("sessionStorage.length").asInt());
  }
}
