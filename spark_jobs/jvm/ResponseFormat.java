package headgate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Locale;
import java.util.Set;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.IntegralType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampType;

/**
 * The argument {@code responseFormat}: JSON goes into the body as it is; a struct as SQL writes it becomes a JSON schema.
 *
 * @param json the body's response_format
 * @param type what the answer is read as; null when it stays a string
 */
record ResponseFormat(String json, DataType type) {
  private static final Set<String> KINDS = Set.of("text", "json_object", "json_schema");

  /** IllegalArgumentException, ready to follow "ai_query ", when {@code written} is neither. */
  static ResponseFormat of(String written) {
    if (written.strip().toUpperCase(Locale.ROOT).startsWith("STRUCT")) {
      return ofStruct(DataType.fromDDL(written.strip()));
    }
    try {
      if (Gateway.JSON.readTree(written) instanceof ObjectNode given && KINDS.contains(given.path("type").asText())) {
        return new ResponseFormat(written, null);
      }
    } catch (JsonProcessingException error) {
      // said below
    }
    throw new IllegalArgumentException(
        "takes responseFormat as STRUCT<name: STRUCT<...>> or as a JSON object whose type is text, json_object or json_schema");
  }

  /** The field's name is only the schema's name: the answer holds what is inside. */
  private static ResponseFormat ofStruct(DataType written) {
    if (!(written instanceof StructType outer) || outer.length() != 1) {
      throw new IllegalArgumentException("needs exactly one field at the top of responseFormat's struct");
    }
    StructField field = outer.fields()[0];
    boolean wrapped = field.dataType() instanceof StructType;
    StructType type = wrapped ? (StructType) field.dataType() : outer;
    ObjectNode format = Gateway.JSON.createObjectNode().put("type", "json_schema");
    ObjectNode schema = format.putObject("json_schema").put("name", field.name()).put("strict", true);
    schema.set("schema", schema(type));
    return new ResponseFormat(format.toString(), type);
  }

  private static ObjectNode schema(DataType type) {
    ObjectNode schema = Gateway.JSON.createObjectNode();
    if (type instanceof StructType struct) {
      return object(struct, schema);
    } else if (type instanceof ArrayType array) {
      schema.put("type", "array").set("items", schema(array.elementType()));
    } else if (type instanceof StringType) {
      schema.put("type", "string");
    } else if (type instanceof IntegralType) {
      schema.put("type", "integer");
    } else if (type instanceof DoubleType || type instanceof FloatType || type instanceof DecimalType) {
      schema.put("type", "number");
    } else if (type instanceof BooleanType) {
      schema.put("type", "boolean");
    } else if (type instanceof DateType) {
      schema.put("type", "string").put("format", "date");
    } else if (type instanceof TimestampType) {
      schema.put("type", "string").put("format", "date-time");
    } else {
      throw new IllegalArgumentException("cannot ask for a " + type.sql() + " in responseFormat");
    }
    return schema;
  }

  private static ObjectNode object(StructType struct, ObjectNode schema) {
    schema.put("type", "object").put("additionalProperties", false);
    ObjectNode properties = schema.putObject("properties");
    for (StructField field : struct.fields()) {
      properties.set(field.name(), schema(field.dataType()));
      schema.withArray("/required").add(field.name());
    }
    return schema;
  }
}
