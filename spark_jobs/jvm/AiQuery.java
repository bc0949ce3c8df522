package headgate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.spark.unsafe.types.UTF8String;

/** What a row of {@code ai_query} does: request to body, one call, answer to text. Called by the generated code. */
public final class AiQuery {
  private AiQuery() {}

  /**
   * Ask the endpoint.
   *
   * @param request the text, or the whole body as a JSON object when {@code wholeBody}; null gives null
   * @param parameters JSON object merged into the body, or null
   * @param format the body's response_format as JSON, or null
   * @return the answer's text; embeddings as a JSON array
   * @throws Gateway.Failed when there is no answer
   */
  public static UTF8String text(
      UTF8String endpoint,
      UTF8String task,
      UTF8String request,
      boolean wholeBody,
      UTF8String parameters,
      UTF8String format) {
    if (request == null) {
      return null;
    }
    ObjectNode body = body(task.toString(), request.toString(), wholeBody, parameters, format);
    JsonNode held = held(Gateway.invoke(endpoint.toString(), body));
    return held == null ? null : UTF8String.fromString(held.isTextual() ? held.textValue() : held.toString());
  }

  /**
   * The same as a JSON object {@code {"result": ..., "errorMessage": ...}}, to be read with a schema.
   *
   * @param verbatim result is a string whatever it holds; else JSON in it is taken as JSON
   * @param failing errors are thrown instead of being put into errorMessage
   */
  public static UTF8String envelope(
      UTF8String endpoint,
      UTF8String task,
      UTF8String request,
      boolean wholeBody,
      UTF8String parameters,
      UTF8String format,
      boolean verbatim,
      boolean failing) {
    if (request == null) {
      return null;
    }
    ObjectNode envelope = Gateway.JSON.createObjectNode();
    try {
      UTF8String text = text(endpoint, task, request, wholeBody, parameters, format);
      envelope.set("result", result(text, verbatim));
      envelope.putNull("errorMessage");
    } catch (Gateway.Failed failed) {
      if (failing) {
        throw failed;
      }
      envelope.putNull("result").put("errorMessage", failed.why());
    }
    return UTF8String.fromString(envelope.toString());
  }

  private static JsonNode result(UTF8String text, boolean verbatim) {
    if (text == null) {
      return Gateway.JSON.nullNode();
    }
    JsonNode quoted = Gateway.JSON.getNodeFactory().textNode(text.toString());
    if (verbatim) {
      return quoted;
    }
    try {
      JsonNode parsed = Gateway.JSON.readTree(text.toString());
      return parsed.isMissingNode() ? quoted : parsed;
    } catch (JsonProcessingException error) {
      return quoted;
    }
  }

  private static ObjectNode body(
      String task, String request, boolean wholeBody, UTF8String parameters, UTF8String format) {
    ObjectNode body = wholeBody ? object(request, "request") : asked(task, request);
    if (parameters != null) {
      body.setAll(object(parameters.toString(), "modelParameters"));
    }
    if (format != null) {
      body.set("response_format", object(format.toString(), "responseFormat"));
    }
    return body;
  }

  private static ObjectNode asked(String task, String request) {
    ObjectNode body = Gateway.JSON.createObjectNode();
    switch (task) {
      case "llm/v1/completions" -> body.put("prompt", request);
      case "llm/v1/embeddings" -> body.put("input", request);
      default -> body.putArray("messages").addObject().put("role", "user").put("content", request);
    }
    return body;
  }

  private static ObjectNode object(String json, String what) {
    try {
      if (Gateway.JSON.readTree(json) instanceof ObjectNode object) {
        return object;
      }
    } catch (JsonProcessingException error) {
      // said below, without the text
    }
    throw new Gateway.Failed(what + " is not a JSON object");
  }

  /** The part of an answer people want, told by what is there: chat, completions, embeddings. Null: nothing was said. */
  private static JsonNode held(JsonNode answer) {
    JsonNode choice = answer.path("choices").path(0);
    JsonNode[] places = {choice.at("/message/content"), choice.path("text"), answer.at("/data/0/embedding")};
    for (JsonNode found : places) {
      if (!found.isMissingNode()) {
        return found.isNull() ? null : found;
      }
    }
    throw new Gateway.Failed("the answer holds no message, text or embedding");
  }
}
