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

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * A headless Chromium with one page, driven by the DevTools protocol over a web socket: nothing but
 * the browser itself is needed. Confined to the test's thread, but for what the socket tells.
 */
final class Browser implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(30);

  private final Process process;
  private final HttpClient http = HttpClient.newHttpClient();
  private final Map<Integer, CompletableFuture<JsonNode>> calls = new ConcurrentHashMap<>();
  private final List<String> complaints = new CopyOnWriteArrayList<>();
  private final AtomicInteger lastCall = new AtomicInteger();
  private WebSocket socket;

  /** The browser that a property names, or one on the path; null if there is none. */
  static Path find() {
    String named = System.getProperty("stowage.browser", "");
    if (!named.isEmpty()) {
      return Path.of(named);
    }
    for (String directory :
        System.getenv().getOrDefault("PATH", "").split(File.pathSeparator, -1)) {
      for (String name : List.of("chromium", "chromium-browser", "google-chrome", "chrome")) {
        Path candidate = Path.of(directory.isEmpty() ? "." : directory, name);
        if (Files.isExecutable(candidate)) {
          return candidate;
        }
      }
    }
    return null;
  }

  /**
   * Starts a browser.
   *
   * @param directory of this browser alone, for its profile and its downloads
   */
  Browser(Path executable, Path directory) throws Exception {
    Path profile = Files.createDirectories(directory.resolve("profile"));
    process =
        new ProcessBuilder(
                executable.toString(),
                "--headless=new",
                "--no-sandbox", // which root, as whom builds run, cannot have
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-quic",
                "--disable-sync",
                "--disable-component-update",
                "--disable-background-networking",
                "--no-first-run",
                "--window-size=1280,800",
                "--remote-debugging-port=0",
                "--user-data-dir=" + profile,
                "about:blank")
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("browser.log").toFile())
            .start();
    try {
      Path portFile = profile.resolve("DevToolsActivePort");
      await(
          () -> Files.exists(portFile) && Files.readAllLines(portFile).size() >= 2,
          "the browser's port");
      int port = Integer.parseInt(Files.readAllLines(portFile).get(0).strip());
      socket =
          http.newWebSocketBuilder()
              .buildAsync(pageOf(port), new Listener())
              .get(30, TimeUnit.SECONDS);
      call("Page.enable", Map.of());
      call("Runtime.enable", Map.of());
      call("Log.enable", Map.of());
      call("DOM.enable", Map.of());
      Path downloads = Files.createDirectories(directory.resolve("downloads"));
      call(
          "Browser.setDownloadBehavior",
          Map.of("behavior", "allow", "downloadPath", downloads.toString()));
    } catch (Exception e) {
      process.destroyForcibly();
      throw e;
    }
  }

  private URI pageOf(int port) throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/json/list")).build();
    URI[] found = new URI[1];
    await(
        () -> {
          String body = http.send(request, HttpResponse.BodyHandlers.ofString()).body();
          for (JsonNode target : JSON.readTree(body)) {
            if (target.path("type").asText().equals("page")) {
              found[0] = URI.create(target.path("webSocketDebuggerUrl").asText());
            }
          }
          return found[0] != null;
        },
        "a page");
    return found[0];
  }

  private final class Listener implements WebSocket.Listener {
    private final StringBuilder text = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence piece, boolean last) {
      text.append(piece);
      if (last) {
        try {
          take(JSON.readTree(text.toString()));
        } catch (IOException e) {
          complaints.add(e.toString());
        }
        text.setLength(0);
      }
      from.request(1);
      return null;
    }

    private void take(JsonNode message) {
      if (message.has("id")) {
        CompletableFuture<JsonNode> call = calls.remove(message.get("id").asInt());
        if (call != null) {
          call.complete(message);
        }
        return;
      }
      JsonNode params = message.path("params");
      switch (message.path("method").asText()) {
        case "Runtime.exceptionThrown" ->
            complaints.add(params.path("exceptionDetails").toString());
        case "Log.entryAdded" -> {
          JsonNode entry = params.path("entry");
          boolean ofNetwork = entry.path("source").asText().equals("network");
          if (entry.path("level").asText().equals("error") && !ofNetwork) {
            complaints.add(entry.toString());
          }
        }
        default -> {}
      }
    }
  }

  /** What the page's scripts, or the browser's policies on them, complained of. */
  List<String> complaints() {
    return new ArrayList<>(complaints);
  }

  JsonNode call(String method, Map<String, ?> params) throws Exception {
    int id = lastCall.incrementAndGet();
    CompletableFuture<JsonNode> answer = new CompletableFuture<>();
    calls.put(id, answer);
    ObjectNode message = JSON.createObjectNode().put("id", id).put("method", method);
    message.set("params", JSON.valueToTree(params));
    socket.sendText(message.toString(), true).get(30, TimeUnit.SECONDS);
    JsonNode result = answer.get(30, TimeUnit.SECONDS);
    assertTrue(result.has("result"), () -> method + ": " + result);
    return result.get("result");
  }

  /** Runs a script in every page before its own. */
  void beforeEveryPage(String script) throws Exception {
    call("Page.addScriptToEvaluateOnNewDocument", Map.of("source", script));
  }

  void open(URI page) throws Exception {
    call("Page.navigate", Map.of("url", page.toString()));
  }

  /** Value of an expression in the page, waited for if it is a promise. */
  JsonNode evaluate(String expression) throws Exception {
    JsonNode result =
        call(
            "Runtime.evaluate",
            Map.of(
                "expression", expression,
                "awaitPromise", true,
                "returnByValue", true,
                "userGesture", true));
    assertTrue(!result.has("exceptionDetails"), () -> expression + ": " + result);
    return result.path("result").path("value");
  }

  /** Waits until an expression is true in the page. */
  void awaitTrue(String expression) throws Exception {
    await(() -> evaluate("!!(" + expression + ")").asBoolean(), expression);
  }

  void click(String selector) throws Exception {
    evaluate("document.querySelector(" + JSON.writeValueAsString(selector) + ").click()");
  }

  /** Types a text into a field, as a person who replaces what is there. */
  void fill(String selector, String text) throws Exception {
    evaluate(
        "(() => { const e = document.querySelector("
            + JSON.writeValueAsString(selector)
            + "); e.focus(); e.select(); })()");
    call("Input.insertText", Map.of("text", text));
  }

  /** Presses a key on whatever has the focus. */
  void press(String key, int code) throws Exception {
    for (String type : List.of("rawKeyDown", "keyUp")) {
      call(
          "Input.dispatchKeyEvent",
          Map.of("type", type, "key", key, "code", key, "windowsVirtualKeyCode", code));
    }
  }

  /** Chooses files in an input, as its dialog would. */
  void choose(String selector, Path... files) throws Exception {
    int root = call("DOM.getDocument", Map.of()).path("root").path("nodeId").asInt();
    int node =
        call("DOM.querySelector", Map.of("nodeId", root, "selector", selector))
            .path("nodeId")
            .asInt();
    List<String> names = new ArrayList<>();
    for (Path file : files) {
      names.add(file.toAbsolutePath().toString());
    }
    call("DOM.setFileInputFiles", Map.of("nodeId", node, "files", names));
  }

  /** Writes what the page looks like, if a property says where. */
  void picture(String name) throws Exception {
    String directory = System.getProperty("stowage.pictures", "");
    if (!directory.isEmpty()) {
      String data = call("Page.captureScreenshot", Map.of("format", "png")).path("data").asText();
      Files.write(
          Files.createDirectories(Path.of(directory)).resolve(name + ".png"),
          Base64.getDecoder().decode(data));
    }
  }

  /** Asks a question until it is answered by true. */
  interface Condition {
    boolean holds() throws Exception;
  }

  static void await(Condition condition, String what) throws Exception {
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    while (!condition.holds()) {
      assertTrue(System.nanoTime() < deadline, () -> "never came: " + what);
      LockSupport.parkNanos(20_000_000);
    }
  }

  @Override
  public void close() throws Exception {
    if (socket != null) {
      socket.abort();
    }
    List<ProcessHandle> children = process.descendants().toList();
    process.destroy();
    if (!process.waitFor(10, TimeUnit.SECONDS)) {
      process.destroyForcibly().waitFor();
    }
    children.forEach(ProcessHandle::destroyForcibly);
  }
}
