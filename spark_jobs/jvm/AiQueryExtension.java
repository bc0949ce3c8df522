package headgate;

import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import scala.Tuple3;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/** Gives a session the SQL function {@code ai_query}; named in {@code spark.sql.extensions}. */
public final class AiQueryExtension extends AbstractFunction1<SparkSessionExtensions, BoxedUnit> {
  private static final String USAGE =
      "_FUNC_(endpoint, request[, returnType][, failOnError][, modelParameters][, responseFormat][, files])"
          + " - Asks a serving endpoint of the gateway and returns the answer's text; embeddings come as ARRAY<FLOAT>."
          + " With failOnError => false: STRUCT<result, errorMessage: STRING>.";

  @Override
  public BoxedUnit apply(SparkSessionExtensions extensions) {
    ExpressionInfo info = new ExpressionInfo(AiQueryExtension.class.getName(), null, "ai_query", USAGE, "");
    extensions.injectFunction(new Tuple3<>(new FunctionIdentifier("ai_query"), info, new AiQueryBuilder()));
    extensions.injectPostHocResolutionRule(session -> new Apart());
    extensions.injectOptimizerRule(session -> new LimitFirst());
    extensions.injectPlannerStrategy(session -> new LookAhead());
    return BoxedUnit.UNIT;
  }
}
