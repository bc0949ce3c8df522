package headgate;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.catalyst.expressions.JsonToStructs;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.NamedArgumentExpression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.StructsToJson;
import org.apache.spark.sql.catalyst.util.package$;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.NullType;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.Option;
import scala.collection.immutable.Map$;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractFunction1;

/** Arguments as written -> the expression that calls {@link AiQuery#answer}; a wrong one ends the analysis. */
final class AiQueryBuilder extends AbstractFunction1<Seq<Expression>, Expression> implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final List<String> NAMES =
      List.of("endpoint", "request", "returnType", "failOnError", "modelParameters", "responseFormat", "files");
  private static final DataType STRING = DataTypes.StringType;
  private static final DataType BOOLEAN = DataTypes.BooleanType;
  private static final DataType BINARY = DataTypes.BinaryType;

  @Override
  public Expression apply(Seq<Expression> written) {
    List<Expression> raw = CollectionConverters.asJava(written);
    Map<String, Expression> given = byName(raw);
    String endpoint = (String) constant(given, "endpoint", STRING);
    Expression request = given.get("request");
    if (endpoint == null || request == null) {
      throw wrong("needs an endpoint and a request");
    }
    Expression parameters = parameters(given.get("modelParameters"));
    ResponseFormat format = format((String) constant(given, "responseFormat", STRING));
    String task = Gateway.task(endpoint);
    boolean failing = !Boolean.FALSE.equals(constant(given, "failOnError", BOOLEAN));
    DataType type = type((String) constant(given, "returnType", STRING), format.type(), task);
    boolean wholeBody = request.dataType() instanceof StructType;
    Expression file = file(given.get("files"), wholeBody, task);
    Call.Shape plain = failing ? Call.Shape.TEXT : Call.Shape.QUOTED;
    Call call =
        new Call(
            endpoint,
            task,
            wholeBody,
            format.json(),
            type.equals(STRING) ? plain : Call.Shape.PARSED,
            failing,
            Boolean.parseBoolean(setting("dedupe", "true")),
            number("inFlight", 64),
            number("deadlineSeconds", 120));
    String shown = pretty(raw);
    Expression asked = new Ask(call, wholeBody ? json(request) : request, parameters, file, shown);
    if (call.shape() == Call.Shape.TEXT) {
      return asked;
    }
    // The alias gives the column its name; anywhere but at the top of a select the analyzer drops it.
    Expression answer = typed(type, call, asked);
    return new Alias(answer, shown, NamedExpression.newExprId(), Calls.nil(), Option.empty(), Calls.nil());
  }

  /** The answer read as {@code type}: by an envelope, because a JSON schema needs a field to hang the type on. */
  private static Expression typed(DataType type, Call call, Expression text) {
    StructType schema = new StructType().add("result", type).add("errorMessage", STRING);
    Expression envelope =
        new JsonToStructs(schema, Map$.MODULE$.<String, String>empty(), text, Option.empty(), false);
    return call.failing() ? new GetStructField(envelope, 0, Option.apply("result")) : envelope;
  }

  private static String setting(String name, String otherwise) {
    return SQLConf.get().getConfString("spark.headgate.aiQuery." + name, otherwise);
  }

  private static int number(String name, int otherwise) {
    String given = setting(name, String.valueOf(otherwise));
    if (!given.matches("[1-9][0-9]{0,4}")) {
      throw wrong("needs a whole number from 1 to 99999 in spark.headgate.aiQuery." + name);
    }
    return Integer.parseInt(given);
  }

  private static Map<String, Expression> byName(List<Expression> raw) {
    Map<String, Expression> given = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    boolean named = false;
    for (int i = 0; i < raw.size(); i++) {
      Expression value = raw.get(i);
      String name = i < NAMES.size() ? NAMES.get(i) : "number " + (i + 1);
      if (value instanceof NamedArgumentExpression argument) {
        named = true;
        name = argument.key();
        value = argument.value();
      } else if (named) {
        throw wrong("takes no argument by position after one by name");
      }
      if (NAMES.stream().noneMatch(name::equalsIgnoreCase)) {
        throw wrong("knows no argument " + name + ", only " + String.join(", ", NAMES));
      }
      if (given.put(name, value) != null) {
        throw wrong("got the argument " + name + " twice");
      }
    }
    return given;
  }

  /** The value of an argument that must be known before the query runs, because types depend on it. */
  private static Object constant(Map<String, Expression> given, String name, DataType type) {
    Expression value = given.get(name);
    if (value == null || value.dataType() instanceof NullType) {
      return null;
    }
    if (!value.foldable() || !value.dataType().equals(type)) {
      throw wrong("needs a constant " + type.simpleString() + " for " + name);
    }
    Object constant = value.eval(null);
    return constant instanceof UTF8String text ? text.toString() : constant;
  }

  private static DataType type(String returnType, DataType asked, String task) {
    if (returnType != null) {
      return DataType.fromDDL(returnType);
    }
    if (asked != null) {
      return asked;
    }
    return task.equals("llm/v1/embeddings") ? DataTypes.createArrayType(DataTypes.FloatType) : STRING;
  }

  private static Expression parameters(Expression value) {
    if (value == null || value.dataType() instanceof NullType) {
      return Literal.create(null, STRING);
    }
    if (!(value.dataType() instanceof StructType)) {
      throw wrong("needs a struct for modelParameters, such as named_struct('max_tokens', 100)");
    }
    return json(value);
  }

  private static Expression file(Expression value, boolean wholeBody, String task) {
    if (value == null || value.dataType() instanceof NullType) {
      return Literal.create(null, BINARY);
    }
    if (!value.dataType().equals(BINARY)) {
      throw wrong("needs a BINARY for files, one image");
    }
    if (wholeBody) {
      throw wrong("takes files beside a text: a struct that is the whole body says itself where they go");
    }
    if (!task.equals(Gateway.CHAT)) {
      throw wrong("takes files only for an endpoint of the task " + Gateway.CHAT + ", not " + task);
    }
    return value;
  }

  private static ResponseFormat format(String written) {
    try {
      return written == null ? new ResponseFormat(null, null) : ResponseFormat.of(written);
    } catch (IllegalArgumentException error) {
      throw wrong(error.getMessage());
    }
  }

  private static Expression json(Expression struct) {
    return new StructsToJson(Map$.MODULE$.<String, String>empty(), struct, Option.empty());
  }

  private static String pretty(List<Expression> raw) {
    List<String> shown = new ArrayList<>();
    for (Expression argument : raw) {
      if (argument instanceof NamedArgumentExpression named) {
        shown.add(named.key() + " => " + package$.MODULE$.toPrettySQL(named.value(), false));
      } else {
        shown.add(package$.MODULE$.toPrettySQL(argument, false));
      }
    }
    return "ai_query(" + String.join(", ", shown) + ")";
  }

  private static IllegalArgumentException wrong(String what) {
    return new IllegalArgumentException("ai_query " + what);
  }
}
