package headgate;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.catalyst.expressions.JsonToStructs;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.NamedArgumentExpression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.StructsToJson;
import org.apache.spark.sql.catalyst.expressions.objects.StaticInvoke;
import org.apache.spark.sql.catalyst.util.package$;
import org.apache.spark.sql.types.AbstractDataType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.NullType;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.Option;
import scala.Tuple3;
import scala.collection.immutable.Map$;
import scala.collection.immutable.Nil$;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/** Gives a session the SQL function {@code ai_query}; named in {@code spark.sql.extensions}. */
public final class AiQueryExtension extends AbstractFunction1<SparkSessionExtensions, BoxedUnit> {
  private static final String USAGE =
      "_FUNC_(endpoint, request[, returnType][, failOnError][, modelParameters][, responseFormat])"
          + " - Asks a serving endpoint of the gateway and returns the answer's text; embeddings come as ARRAY<FLOAT>."
          + " With failOnError => false: STRUCT<result, errorMessage: STRING>.";

  @Override
  public BoxedUnit apply(SparkSessionExtensions extensions) {
    ExpressionInfo info = new ExpressionInfo(AiQueryExtension.class.getName(), null, "ai_query", USAGE, "");
    extensions.injectFunction(new Tuple3<>(new FunctionIdentifier("ai_query"), info, new Builder()));
    return BoxedUnit.UNIT;
  }

  /** Arguments as written -> the expression that calls {@link AiQuery}; a wrong one ends the analysis. */
  private static final class Builder extends AbstractFunction1<Seq<Expression>, Expression> implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final List<String> NAMES =
        List.of("endpoint", "request", "returnType", "failOnError", "modelParameters", "responseFormat");
    private static final DataType STRING = DataTypes.StringType;
    private static final DataType BOOLEAN = DataTypes.BooleanType;

    @Override
    public Expression apply(Seq<Expression> written) {
      List<Expression> raw = CollectionConverters.asJava(written);
      Map<String, Expression> given = byName(raw);
      String endpoint = (String) constant(given, "endpoint", STRING);
      Expression request = given.get("request");
      if (endpoint == null || request == null) {
        throw wrong("needs an endpoint and a request");
      }
      String task = Gateway.task(endpoint);
      boolean failing = !Boolean.FALSE.equals(constant(given, "failOnError", BOOLEAN));
      DataType type = type((String) constant(given, "returnType", STRING), task);
      boolean wholeBody = request.dataType() instanceof StructType;
      List<Expression> arguments = new ArrayList<>();
      arguments.add(Literal.create(endpoint, STRING));
      arguments.add(Literal.create(task, STRING));
      arguments.add(wholeBody ? json(request) : request);
      arguments.add(Literal.create(wholeBody, BOOLEAN));
      arguments.add(parameters(given.get("modelParameters")));
      arguments.add(format((String) constant(given, "responseFormat", STRING)));
      Expression answer = type.equals(STRING) && failing ? invoke("text", arguments) : typed(type, failing, arguments);
      // The alias gives the column its name; anywhere but at the top of a select the analyzer drops it.
      return new Alias(answer, pretty(raw), NamedExpression.newExprId(), nil(), Option.empty(), nil());
    }

    /** The answer read as {@code type}: by an envelope, because a JSON schema needs a field to hang the type on. */
    private static Expression typed(DataType type, boolean failing, List<Expression> arguments) {
      arguments.add(Literal.create(type.equals(STRING), BOOLEAN));
      arguments.add(Literal.create(failing, BOOLEAN));
      StructType schema = new StructType().add("result", type).add("errorMessage", STRING);
      Expression text = invoke("envelope", arguments);
      Expression envelope =
          new JsonToStructs(schema, Map$.MODULE$.<String, String>empty(), text, Option.empty(), false);
      return failing ? new GetStructField(envelope, 0, Option.apply("result")) : envelope;
    }

    private static Expression invoke(String method, List<Expression> arguments) {
      List<AbstractDataType> types = new ArrayList<>();
      for (int i = 0; i < arguments.size(); i++) {
        types.add(i == 3 || i > 5 ? BOOLEAN : STRING);
      }
      // Not deterministic: else the planner might call at planning time, or twice for a repeated column.
      return new StaticInvoke(
          AiQuery.class, STRING, method, seq(arguments), seq(types), false, true, false, Option.empty());
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

    private static DataType type(String returnType, String task) {
      if (returnType != null) {
        return DataType.fromDDL(returnType);
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

    private static Expression format(String responseFormat) {
      if (responseFormat != null && !responseFormat.stripLeading().startsWith("{")) {
        throw wrong("takes responseFormat as a JSON object only, such as {\"type\": \"json_object\"}");
      }
      return Literal.create(responseFormat, STRING);
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

    private static <T> Seq<T> seq(List<T> values) {
      return CollectionConverters.asScala((Iterable<T>) values).toSeq();
    }

    @SuppressWarnings("unchecked")
    private static <T> Seq<T> nil() {
      return (Seq<T>) Nil$.MODULE$;
    }
  }
}
